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
    champion_forecasts.run_id
from champion_forecasts
inner join keys
    on champion_forecasts.series_id = keys.series_id
