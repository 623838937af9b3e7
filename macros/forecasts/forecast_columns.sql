{# The columns of a forecast that its views share, in their order; `without` leaves some out. #}
{% macro forecast_columns(without=[]) -%}
    {%- set columns = [
        'use_case', 'series_id', 'model_name', 'origin_date', 'target_date', 'horizon_step', 'yhat',
        'yhat_lower', 'yhat_upper', 'interval_source', 'interval_calibration', 'is_fallback',
        'fallback_model', 'reason', 'is_champion', 'run_id', 'run_kind', 'as_of_at', 'issued_at',
        'model_version', 'regressors_as_known', 'code_version'
    ] -%}
    {{ columns | reject('in', without) | join(',\n    ') }}
{%- endmacro %}
