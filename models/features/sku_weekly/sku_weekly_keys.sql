{{ panel_keys('sku_weekly') }}
