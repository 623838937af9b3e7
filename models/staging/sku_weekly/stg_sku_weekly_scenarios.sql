{{ stage_scenarios('sku_weekly') }}
