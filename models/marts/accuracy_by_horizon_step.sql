{# Accuracy by how far ahead the forecast looked. One row per
   use_case, run_kind, horizon_step, basis, model_name. #}
{{ accuracy_by(['horizon_step']) }}
