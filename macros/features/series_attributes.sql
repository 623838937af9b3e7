{# The attributes of each series in the version known at each origin; null where the dimension has
   no row for it then. Of rows that speak of a series, the one that names most of its key counts.
   Grain: series_id, origin_date. #}
{% macro series_attributes(use_case) -%}
{%- set parts = mapped_parts(use_case, 'attributes') -%}
select
        series.series_id,
        series.origin_date
        {%- for attribute in use_case_settings(use_case).features.attributes %},
        versions.{{ attribute }}
        {%- endfor %}
    from series
    cross join unnest({{ key_cells(parts, 'series') }}) as cell
    left join {{ ref('stg_' ~ use_case ~ '_attributes') }} as versions
        on
            cell = versions.key_cell
            and {{ known_as_of('versions', 'series.as_of_at') }}
            and versions.rejected_because is null
    qualify row_number() over (
        partition by series.series_id, series.origin_date
        order by versions.key_cell is null, {{ most_named_first(parts, 'versions') }}
    ) = 1
{%- endmacro %}
