{# The regressors that a table gives, by series and period, as they were known at each origin: the
   mean over the period's dates that it has. Which dates it has is the table's matter: one a day or
   one a period. Of rows that speak of a series' date, the one that names most of its key counts.
   Grain: series_id, origin_date, ds. #}
{% macro given_regressors(use_case) -%}
{%- set parts = mapped_parts(use_case, 'regressors') -%}
select
        series_id,
        origin_date,
        {{ period_start(use_case, 'regressor_date') }} as ds
        {%- for regressor in regressors_from(use_case, 'given') %},
        avg({{ regressor }}) as {{ regressor }}
        {%- endfor %}
    from (
        select
            series.series_id,
            series.origin_date,
            versions.* except ({{ (parts + ['key_cell']) | join(', ') }})
        from series
        cross join unnest({{ key_cells(parts, 'series') }}) as cell
        inner join {{ ref('stg_' ~ use_case ~ '_regressors') }} as versions
            on
                cell = versions.key_cell
                and {{ known_as_of('versions', 'series.as_of_at') }}
                and versions.rejected_because is null
        qualify row_number() over (
            partition by series.series_id, series.origin_date, versions.regressor_date
            order by {{ most_named_first(parts, 'versions') }}
        ) = 1
    ) as given
    group by series_id, origin_date, ds
{%- endmacro %}
