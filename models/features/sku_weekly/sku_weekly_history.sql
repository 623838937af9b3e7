{# Rendered by shelfcast use-case (56f43484dd84). An edited file is kept. #}
{{ panel_history('sku_weekly') }}
