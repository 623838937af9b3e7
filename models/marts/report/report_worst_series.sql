{{
    config(
        partition_by={'field': 'period_date', 'data_type': 'date'},
        cluster_by=['period'] + (use_case_settings('sku_weekly').key.keys() | list)[:3]
    )
}}
{{ report_worst_series('sku_weekly') }}
