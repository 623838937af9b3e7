{# Rendered by shelfcast use-case (0921e112bf5b). An edited file is kept. #}
{{ panel_actuals('sku_weekly') }}
