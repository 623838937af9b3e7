{# Accuracy of all scored forecasts together. One row per use_case, basis, model_name. #}
{{ accuracy_by(['use_case']) }}
