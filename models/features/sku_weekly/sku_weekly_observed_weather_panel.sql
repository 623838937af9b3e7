{{ config(materialized='view') }}
{{ observed_weather_panel('sku_weekly') }}
