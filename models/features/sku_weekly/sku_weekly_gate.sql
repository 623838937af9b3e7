{{ panel_gate('sku_weekly') }}
