{# A row of the sales table that is neither accepted nor rejected with a reason has vanished. #}
{{ unaccounted_rows(['sales'], 'rejected_sales') }}
