{# Rendered by shelfcast use-case (f11db4db71e8). An edited file is kept. #}
{{ panel_plan_coverage('sku_weekly') }}
