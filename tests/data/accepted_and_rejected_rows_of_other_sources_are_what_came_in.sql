{# A row of the weather, of regressors or of a dimension that is neither accepted nor rejected with
   a reason has vanished. #}
{{ unaccounted_rows(['weather', 'regressors', 'attributes'], 'rejected_rows') }}
