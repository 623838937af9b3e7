{{
    config(
        partition_by={'field': 'retrained_date', 'data_type': 'date'},
        cluster_by=['unit', 'channel', 'sku_id']
    )
}}
{{ report_retraining('sku_weekly') }}
