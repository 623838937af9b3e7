{{ panel_series('sku_weekly') }}
