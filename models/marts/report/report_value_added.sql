{{
    config(
        partition_by={'field': 'target_date', 'data_type': 'date'},
        cluster_by=(use_case_settings('sku_weekly').key.keys() | list)[:4]
    )
}}
{{ report_value_added('sku_weekly') }}
