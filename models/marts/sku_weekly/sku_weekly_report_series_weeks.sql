{{
    config(
        partition_by={'field': 'ds', 'data_type': 'date'},
        cluster_by=['unit', 'channel', 'sku_id']
    )
}}
{{ report_series_weeks('sku_weekly') }}
