{# Rendered by shelfcast use-case (932390e83faf). An edited file is kept. #}
{{ panel_plan_periods('sku_weekly') }}
