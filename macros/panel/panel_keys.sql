{# Grain: series_id. #}
{% macro panel_keys(use_case) -%}
{%- set parts = use_case_settings(use_case).key.keys() | list -%}
select
    series_id
    {%- for part in parts %},
    any_value({{ part }}) as {{ part }}
    {%- endfor %}
from {{ ref('stg_' ~ use_case ~ '_sales') }}
where rejected_because is null
group by series_id
{%- endmacro %}
