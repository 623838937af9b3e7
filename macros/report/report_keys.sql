{# The key's columns and the demand class of every series that sales or a forecast ever knew, for the
   page marts. Grain: series_id. #}
{% macro report_keys(use_case) -%}
    select
        everyone.series_id,
        {%- for part in use_case_settings(use_case).key %}
        {{ series_part(use_case, part, 'everyone.series_id') }} as {{ part }},
        {%- endfor %}
        classes.segment as demand_class
    from {{ ref('series_segments') }} as everyone
    left join {{ ref('series_segments') }} as classes
        on
            classes.use_case = '{{ use_case }}'
            and classes.segment_type = 'demand_class'
            and everyone.series_id = classes.series_id
    where
        everyone.use_case = '{{ use_case }}'
        and everyone.segment_type = 'total'
{%- endmacro %}
