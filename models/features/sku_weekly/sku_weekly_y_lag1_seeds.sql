{# Rendered by shelfcast use-case (055930acbd38). An edited file is kept. #}
{{ panel_y_lag1_seeds('sku_weekly') }}
