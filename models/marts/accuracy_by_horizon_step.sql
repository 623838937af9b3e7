{# Accuracy by how far ahead the forecast looked. One row per
   use_case, horizon_step, basis, model_name. #}
{{ accuracy_by(['use_case', 'horizon_step']) }}
