{# Rendered by shelfcast use-case (b017336a4044). An edited file is kept. #}
{{ panel_training_panel('sku_weekly') }}
