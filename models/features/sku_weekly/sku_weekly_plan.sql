{{ panel_plan('sku_weekly') }}
