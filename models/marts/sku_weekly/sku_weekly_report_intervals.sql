{{
    config(
        partition_by={'field': 'target_date', 'data_type': 'date'},
        cluster_by=['unit', 'channel', 'sku_id']
    )
}}
{{ report_intervals('sku_weekly') }}
