{{ stage_weather('sku_weekly') }}
