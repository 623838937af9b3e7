{# Rendered by shelfcast use-case (daaf14ebff17). An edited file is kept. #}
{{ stage_scenarios('sku_weekly') }}
