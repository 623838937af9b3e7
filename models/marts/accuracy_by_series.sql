{# Accuracy by series over all scored weeks. One row per
   use_case, series_id, basis, model_name. #}
{{ accuracy_by(['use_case', 'series_id']) }}
