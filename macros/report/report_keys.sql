{# The key's columns of all use cases and the demand class of every series that sales or a forecast
   ever knew, for the page marts. A column that the series' own use case has not got is null.
   Grain: use_case, series_id. #}
{% macro report_keys() -%}
    select
        everyone.use_case,
        everyone.series_id,
        {%- for part in key_columns() %}
        case everyone.use_case
            {%- for use_case in use_cases() if part in use_case_settings(use_case).key %}
            when '{{ use_case }}' then {{ series_part(use_case, part, 'everyone.series_id') }}
            {%- endfor %}
        end as {{ part }},
        {%- endfor %}
        classes.segment as demand_class
    from {{ ref('series_segments') }} as everyone
    left join {{ ref('series_segments') }} as classes
        on
            everyone.use_case = classes.use_case
            and everyone.series_id = classes.series_id
            and classes.segment_type = 'demand_class'
    where everyone.segment_type = 'total'
{%- endmacro %}
