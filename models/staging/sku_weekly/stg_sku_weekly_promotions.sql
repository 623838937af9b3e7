{{ stage_promotions('sku_weekly') }}
