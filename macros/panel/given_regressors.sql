{# The regressors that a table gives, by series and period, as they were known at each origin: the
   mean over the period's dates that it has. Which dates it has is the table's matter: one a day or
   one a period. Grain: series_id, origin_date, ds. #}
{% macro given_regressors(use_case) -%}
select
        series.series_id,
        series.origin_date,
        {{ period_start(use_case, 'versions.regressor_date') }} as ds
        {%- for regressor in regressors_from(use_case, 'given') %},
        avg(versions.{{ regressor }}) as {{ regressor }}
        {%- endfor %}
    from series
    inner join {{ ref('stg_' ~ use_case ~ '_regressors') }} as versions
        on
            {{ known_as_of('versions', 'series.as_of_at') }}
            {%- for part in mapped_parts(use_case, 'regressors') %}
            and series.{{ part }} = versions.{{ part }}
            {%- endfor %}
    group by series_id, origin_date, ds
{%- endmacro %}
