{{ panel_reference_prices('sku_weekly') }}
