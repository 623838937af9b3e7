{{
    config(
        materialized='incremental',
        incremental_strategy='insert_overwrite',
        partition_by={'field': 'origin_date', 'data_type': 'date'},
        cluster_by=['use_case', 'series_id'],
        on_schema_change='fail'
    )
}}
{# The forecasts that were issued: for each series the newest finished issued run of the origin,
   made before the issue window closed. A replay enters only where it was published as issued
   and nothing was ever issued. The origins of the active runs are rebuilt whole, for every
   use case. One row per use_case, series_id, model_name, origin_date, target_date. #}
with origins as (
    select * from {{ ref('origins') }}
),

run_forecasts as (
    select * from {{ ref('run_forecasts') }}
    where
        (run_kind = 'issued' or is_as_issued)
        {%- if is_incremental() %}
        and origin_date in (select origins.origin_date from origins)
        and {{ origin_bounds(none, 'origin_date') }}
        {%- endif %}
),

settings as (
    {{ settings_rows() }}
),

newest as (
    select run_forecasts.*
    from run_forecasts
    inner join settings
        on run_forecasts.use_case = settings.use_case
    where {{ issued_in_time('run_forecasts', 'settings') }}
    qualify rank() over (
        partition by
            run_forecasts.use_case, run_forecasts.series_id, run_forecasts.origin_date
        order by
            {{ newest_issued_first(
                'run_forecasts.run_kind', 'run_forecasts.as_of_at', 'run_forecasts.run_id'
            ) }}
    ) = 1
)

select
    {{ forecast_columns() }}
from newest
where outcome != 'refused'
