{# Rendered by shelfcast use-case (c4db9e2143c7). An edited file is kept. #}
{{ panel_plan('sku_weekly') }}
