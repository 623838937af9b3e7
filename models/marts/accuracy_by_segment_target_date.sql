{# Accuracy of each segment in each target period, all horizon steps together. One row per
   use_case, run_kind, segment_type, segment, target_date, basis, model_name. #}
{{ accuracy_by(['segment_type', 'segment', 'target_date'], errors_of(with_segments=true)) }}
