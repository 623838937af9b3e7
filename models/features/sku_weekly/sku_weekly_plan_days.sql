{# Rendered by shelfcast use-case (aa281039f174). An edited file is kept. #}
{{ panel_plan_days('sku_weekly') }}
