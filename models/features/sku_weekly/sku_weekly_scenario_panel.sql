{# Rendered by shelfcast use-case (40a6f1c57894). An edited file is kept. #}
{{ config(materialized='view') }}
{{ scenario_panel('sku_weekly') }}
