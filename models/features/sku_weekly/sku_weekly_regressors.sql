{{ panel_regressors('sku_weekly') }}
