{{ panel_plan_periods('sku_weekly') }}
