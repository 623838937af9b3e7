{{ panel_y_lag1_seeds('sku_weekly') }}
