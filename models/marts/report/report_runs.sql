{{
    config(
        partition_by={'field': 'origin_date', 'data_type': 'date'},
        cluster_by=['run_kind']
    )
}}
{{ report_runs('sku_weekly') }}
