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
        {{ period_days(use_case) }} as period_days,
        cast({{ settings.interval }} as float64) as nominal_coverage,
        {{ settings.min_calibration_residuals }} as min_calibration_residuals,
        {{ settings.min_pooled_series }} as min_pooled_series
    {{- '\n    union all\n    ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
