{{ panel_plan_days('sku_weekly') }}
