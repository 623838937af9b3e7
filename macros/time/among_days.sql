{# A condition on a DATE column: one of the days, a list of 'YYYY-MM-DD' as literals, by which
   BigQuery prunes partitions. none leaves it open, an empty list lets nothing through. #}
{% macro among_days(column, days) -%}
    {%- if days is none -%}
    true
    {%- elif not days -%}
    false
    {%- else -%}
    {{ column }} in (date '{{ days | join("', date '") }}')
    {%- endif -%}
{%- endmacro %}
