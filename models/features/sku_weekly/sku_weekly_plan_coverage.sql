{{ panel_plan_coverage('sku_weekly') }}
