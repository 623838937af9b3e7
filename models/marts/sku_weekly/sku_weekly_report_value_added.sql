{{
    config(
        partition_by={'field': 'target_date', 'data_type': 'date'},
        cluster_by=['unit', 'channel', 'sku_id']
    )
}}
{{ report_value_added('sku_weekly') }}
