{# Accuracy of all scored forecasts together. One row per use_case,
   run_kind, basis, model_name. #}
{{ accuracy_by([]) }}
