{# The settings that statements over all use cases need, as rows. Grain: use_case. #}
{% macro settings_rows() -%}
    {%- for use_case in use_cases() -%}
    {%- set settings = use_case_settings(use_case) -%}
    select
        '{{ use_case }}' as use_case,
        '{{ settings.time_zone }}' as time_zone,
        {{ settings.issue_window_days }} as issue_window_days,
        '{{ settings.families[0] }}' as champion,
        '{{ settings.value_added_over }}' as value_added_over,
        '{{ settings.grain }}' as grain,
        {{ period_days(use_case) }} as period_days,
        {{ period_shift(use_case) }} as period_shift,
        cast({{ settings.interval }} as float64) as nominal_coverage,
        {{ settings.min_calibration_residuals }} as min_calibration_residuals,
        {{ settings.min_pooled_series }} as min_pooled_series,
        {{ settings.horizon }} as horizon,
        {{ settings.lookback_periods }} as lookback_periods,
        '{{ settings.gaps_mean }}' as gaps_mean,
        cast({{ settings.alerts.wape }} as float64) as alert_wape,
        {{ settings.alerts.periods }} as alert_periods,
        {{ settings.alerts.horizon_step }} as alert_horizon_step,
        {{ settings.alerts.min_scored }} as alert_min_scored,
        cast({{ settings.alerts.min_arrived }} as float64) as alert_min_arrived,
        cast({{ settings.alerts.tracking_signal }} as float64) as alert_tracking_signal,
        {{ settings.alerts.tracking_periods }} as alert_tracking_periods,
        {{ settings.retraining.periods }} as retrain_periods,
        {{ settings.retraining.min_scored }} as retrain_min_scored,
        cast({{ settings.retraining.wape }} as float64) as retrain_wape,
        cast({{ settings.retraining.bias }} as float64) as retrain_bias,
        cast({{ settings.retraining.coverage_below }} as float64) as retrain_coverage_below,
        {{ settings.retraining.age_periods }} as retrain_age_periods,
        cast({{ settings.retraining.beaten_by }} as float64) as retrain_beaten_by,
        cast({{ settings.retraining.drift_share }} as float64) as retrain_drift_share,
        {{ settings.retraining.cool_down_periods }} as retrain_cool_down_periods,
        '{{ settings.retraining.baseline }}' as retrain_baseline
    {{- '\n    union all\n    ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
