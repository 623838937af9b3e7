{{
    config(
        materialized='incremental',
        incremental_strategy='insert_overwrite',
        partition_by={'field': 'calculation_date', 'data_type': 'date'},
        cluster_by=['series_id', 'metric_name'],
        on_schema_change='fail'
    )
}}
{# Every metric of every series in every named period, long, as it was known on each calculation
   date: rows of earlier dates stay, so that a restated number stands beside the first one. What was
   served counts; forecast_value_added compares the champion with the baseline on common rows. A
   series whose sales have vanished keeps its rows.
   One row per series_id, calculation_date, period, metric_name. #}
with accuracy as (
    select * from {{ ref('accuracy_by_window') }}
    where use_case = 'sku_weekly' and run_kind = 'issued'
),

monitored as (
    {{ monitored_at() }}
),

settings as (
    {{ settings_rows() }}
),

compared as (
    select
        accuracy.series_id,
        accuracy.period,
        accuracy.forecast_value_added
    from accuracy
    inner join settings
        on
            accuracy.use_case = settings.use_case
            and accuracy.model_name = settings.champion
    where accuracy.basis = 'comparable'
),

served as (
    select
        accuracy.* except (forecast_value_added),
        compared.forecast_value_added,
        date(monitored.as_of_at, settings.time_zone) as calculation_date
    from accuracy
    inner join settings
        on accuracy.use_case = settings.use_case
    inner join monitored
        on accuracy.use_case = monitored.use_case
    left join compared
        on
            accuracy.series_id = compared.series_id
            and accuracy.period = compared.period
    where accuracy.basis = 'served'
)

select
    {%- for part in use_case_settings('sku_weekly').key %}
    {{ series_part('sku_weekly', part, 'served.series_id') }} as {{ part }},
    {%- endfor %}
    served.series_id,
    served.calculation_date,
    served.period,
    metric.metric_name,
    metric.value,
    served.n_scored
from served
cross join unnest([
    {%- for metric in metric_names() %}
    struct('{{ metric }}' as metric_name, served.{{ metric }} as value){{ ',' if not loop.last }}
    {%- endfor %}
]) as metric
