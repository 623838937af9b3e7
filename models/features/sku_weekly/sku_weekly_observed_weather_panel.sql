{# Rendered by shelfcast use-case (27a309e03577). An edited file is kept. #}
{{ config(materialized='view') }}
{{ observed_weather_panel('sku_weekly') }}
