{# Rendered by shelfcast use-case (24e82644791d). An edited file is kept. #}
{{ panel_gate('sku_weekly') }}
