{{ panel_training_panel('sku_weekly') }}
