{# Rendered by shelfcast use-case (17ea5527f7dd). An edited file is kept. #}
{{ stage_promotions('sku_weekly') }}
