{# Prediction runs all of whose shards have ended well: only these are read. A run that died
   changes nothing.
   One row per run_id, use_case. #}
{{ finished_runs() }}
