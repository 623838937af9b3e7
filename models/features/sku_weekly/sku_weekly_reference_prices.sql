{# Rendered by shelfcast use-case (21482a201f04). An edited file is kept. #}
{{ panel_reference_prices('sku_weekly') }}
