{{ config(materialized='view') }}
{{ scenario_panel('sku_weekly') }}
