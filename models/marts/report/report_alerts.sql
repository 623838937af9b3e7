{{
    config(
        partition_by={'field': 'target_date', 'data_type': 'date'},
        cluster_by=['alert', 'segment_type', 'segment']
    )
}}
{{ report_alerts('sku_weekly') }}
