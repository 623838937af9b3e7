{# Rendered by shelfcast use-case (a235a8f5e503). An edited file is kept. #}
{{ stage_weather('sku_weekly') }}
