{# The metrics of every accuracy mart, by name, as `vars: metrics:` lists them. #}
{% macro metric_names() -%}
    {{ return(var('metrics').keys() | list) }}
{%- endmacro %}
