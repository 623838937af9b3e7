{# The key's columns and the demand class of every series, for the page marts; no row where the
   features of the use case were never built. Grain: series_id. #}
{% macro report_keys(use_case) -%}
{%- set parts = use_case_settings(use_case).key -%}
{%- if use_case in built_use_cases('', '_keys') -%}
    select
        keys.series_id,
        {%- for part in parts %}
        keys.{{ part }},
        {%- endfor %}
        segments.segment as demand_class
    from {{ ref(use_case ~ '_keys') }} as keys
    left join {{ ref('series_segments') }} as segments
        on
            segments.use_case = '{{ use_case }}'
            and segments.segment_type = 'demand_class'
            and keys.series_id = segments.series_id
{%- else -%}
    select
        '' as series_id,
        {%- for part, type in parts.items() %}
        cast(null as {{ type }}) as {{ part }},
        {%- endfor %}
        '' as demand_class
    from (select 1 as one)
    where one = 0
{%- endif -%}
{%- endmacro %}
