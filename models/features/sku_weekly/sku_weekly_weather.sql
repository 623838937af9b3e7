{# Rendered by shelfcast use-case (ec504799f28b). An edited file is kept. #}
{{ panel_weather('sku_weekly') }}
