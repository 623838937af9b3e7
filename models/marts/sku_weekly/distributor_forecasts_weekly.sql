{{
    config(
        partition_by={'field': 'forecast_date', 'data_type': 'date'},
        cluster_by=['unit', 'channel', 'sku_id']
    )
}}
{# The weekly forecasts that planners read. One row per unit, channel, sku_id, forecast_date,
   target_date. #}
{%- set settings = use_case_settings('sku_weekly') %}
with champion_forecasts as (
    select * from {{ ref('champion_forecasts') }}
    where use_case = 'sku_weekly'
),

model_log as (
    select
        model_name,
        series_id,
        model_version,
        regressor_ranges
    from {{ source('logs', 'model_log') }}
    where use_case = 'sku_weekly' and status = 'trained'
),

keys as (
    {%- if 'sku_weekly' in built_use_cases('', '_keys') %}
    select * from {{ ref('sku_weekly_keys') }}
    {%- else %}
    select
        '' as series_id,
        '' as unit,
        '' as channel,
        '' as sku_id
    {%- endif %}
)

select
    keys.unit,
    keys.channel,
    keys.sku_id,
    date(champion_forecasts.as_of_at, '{{ settings.time_zone }}') as forecast_date,
    champion_forecasts.origin_date,
    champion_forecasts.target_date,
    champion_forecasts.horizon_step,
    champion_forecasts.yhat as forecast_value,
    champion_forecasts.yhat_lower as forecast_lower,
    champion_forecasts.yhat_upper as forecast_upper,
    champion_forecasts.model_name,
    champion_forecasts.model_version,
    champion_forecasts.is_fallback,
    champion_forecasts.fallback_model,
    champion_forecasts.reason,
    {{ regressors_outside(
        'sku_weekly', 'champion_forecasts.regressors_as_known',
        'coalesce(local_models.regressor_ranges, global_models.regressor_ranges)'
    ) }} as regressors_outside,
    champion_forecasts.run_id
from champion_forecasts
inner join keys
    on champion_forecasts.series_id = keys.series_id
left join model_log as local_models
    on
        champion_forecasts.model_name = local_models.model_name
        and champion_forecasts.model_version = local_models.model_version
        and champion_forecasts.series_id = local_models.series_id
left join model_log as global_models
    on
        champion_forecasts.model_name = global_models.model_name
        and champion_forecasts.model_version = global_models.model_version
        and global_models.series_id is null
