{# Rendered by shelfcast use-case (b12958da44ad). An edited file is kept. #}
{{ panel_missing_regressors('sku_weekly') }}
