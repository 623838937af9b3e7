{{
    config(
        partition_by={'field': 'target_date', 'data_type': 'date'},
        cluster_by=['unit', 'channel', 'sku_id']
    )
}}
{{ report_overview('sku_weekly') }}
