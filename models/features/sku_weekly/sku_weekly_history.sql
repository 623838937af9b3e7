{{ panel_history('sku_weekly') }}
