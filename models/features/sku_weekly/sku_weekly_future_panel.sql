{{ panel_future_panel('sku_weekly') }}
