{# Rendered by shelfcast use-case (2ef7b2c1e3b0). An edited file is kept. #}
{# Sales rows of sku_weekly, renamed, cast and judged. One row per row of the source. #}
{{ stage_sales('sku_weekly') }}
