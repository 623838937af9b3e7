{# Rendered by shelfcast use-case (831c9289d768). An edited file is kept. #}
{{ panel_keys('sku_weekly') }}
