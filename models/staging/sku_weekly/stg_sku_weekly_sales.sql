{# Sales rows of sku_weekly, renamed, cast and judged. One row per row of the source. #}
{{ stage_sales('sku_weekly') }}
