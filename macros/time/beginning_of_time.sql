{# known_at of a row whose source does not say when it became known. TIMESTAMP. #}
{% macro beginning_of_time() -%}
    timestamp '1970-01-01 00:00:00+00'
{%- endmacro %}
