{# Rendered by shelfcast use-case (f13c0cbb82e0). An edited file is kept. #}
{{ panel_future_panel('sku_weekly') }}
