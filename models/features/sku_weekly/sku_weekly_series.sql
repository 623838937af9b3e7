{# Rendered by shelfcast use-case (d5ed72a0c993). An edited file is kept. #}
{{ panel_series('sku_weekly') }}
