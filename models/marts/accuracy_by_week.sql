{# Accuracy of each week's forecasts, all horizon steps together. One row per
   use_case, target_date, basis, model_name. #}
{{ accuracy_by(['use_case', 'target_date']) }}
