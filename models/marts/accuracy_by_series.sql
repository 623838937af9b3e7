{# Accuracy by series over all scored periods. One row per
   use_case, run_kind, series_id, basis, model_name. #}
{{ accuracy_by(['series_id']) }}
