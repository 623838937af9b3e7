{{
    config(
        partition_by={'field': 'ds', 'data_type': 'date'},
        cluster_by=(use_case_settings('sku_weekly').key.keys() | list)[:4]
    )
}}
{{ report_series_weeks('sku_weekly') }}
