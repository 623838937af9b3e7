{{
    config(
        partition_by={'field': 'period_date', 'data_type': 'date'},
        cluster_by=['period', 'unit', 'channel', 'sku_id']
    )
}}
{{ report_worst_series('sku_weekly') }}
