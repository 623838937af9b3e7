{{ panel_actuals('sku_weekly') }}
