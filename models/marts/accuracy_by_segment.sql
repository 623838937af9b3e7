{# Accuracy of each segment in each named period. One row per
   use_case, run_kind, segment_type, segment, period, basis, model_name. #}
{{ accuracy_by(
    ['segment_type', 'segment', 'period'], errors_of(with_periods=true, with_segments=true)
) }}
