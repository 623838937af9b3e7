{{
    config(
        materialized='incremental',
        incremental_strategy='insert_overwrite',
        partition_by={'field': 'origin_date', 'data_type': 'date'},
        cluster_by=['run_id', 'series_id'],
        on_schema_change='fail'
    )
}}
{{ panel_baselines('sku_weekly') }}
