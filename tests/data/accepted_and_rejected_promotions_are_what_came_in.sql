{# A row of a promotion plan that is neither accepted nor rejected with a reason has vanished. #}
{{ unaccounted_rows(['promotions'], 'rejected_promotions') }}
