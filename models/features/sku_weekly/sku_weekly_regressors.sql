{# Rendered by shelfcast use-case (a5fe19ea5881). An edited file is kept. #}
{{ panel_regressors('sku_weekly') }}
