{# Accuracy of each series in each named period. One row per
   use_case, run_kind, series_id, period, basis, model_name. #}
{{ accuracy_by(['series_id', 'period'], errors_of(with_periods=true)) }}
