{{ panel_weather('sku_weekly') }}
