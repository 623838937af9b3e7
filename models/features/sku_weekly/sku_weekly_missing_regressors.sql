{{ panel_missing_regressors('sku_weekly') }}
