{# The attributes of each series in the version known at each origin; null where the dimension has
   no row for it then. Grain: series_id, origin_date. #}
{% macro series_attributes(use_case) -%}
select
        series.series_id,
        series.origin_date
        {%- for attribute in use_case_settings(use_case).features.attributes %},
        versions.{{ attribute }}
        {%- endfor %}
    from series
    left join {{ ref('stg_' ~ use_case ~ '_attributes') }} as versions
        on
            {{ known_as_of('versions', 'series.as_of_at') }}
            {%- for part in mapped_parts(use_case, 'attributes') %}
            and series.{{ part }} = versions.{{ part }}
            {%- endfor %}
{%- endmacro %}
