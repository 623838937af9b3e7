{# Accuracy of each period's forecasts, all horizon steps together. One row per
   use_case, run_kind, target_date, basis, model_name. #}
{{ accuracy_by(['target_date']) }}
