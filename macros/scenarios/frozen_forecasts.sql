{# The champion's issued forecasts of a use case beside what they were made from: what the regressors
   were known to be, the model, what its interval was multiplied with. Those of the year before the
   active run's first origin, and all since. `which` is a condition, or none.
   Grain: series_id, origin_date, target_date. #}
{% macro frozen_forecasts(use_case, which=none) -%}
{%- set settings = use_case_settings(use_case) -%}
select
    issued.use_case,
    issued.series_id,
    {%- for part in settings.key %}
    {{ series_part(use_case, part, 'issued.series_id') }} as {{ part }},
    {%- endfor %}
    issued.model_name,
    issued.model_version,
    issued.origin_date,
    issued.target_date,
    issued.horizon_step,
    issued.run_id as issued_run_id,
    issued.yhat as yhat_as_issued,
    issued.is_fallback,
    issued.reason,
    issued.regressors_as_known,
    forecast_log.interval_factor,
    {{ known_number('y_lag1') }} as y_lag1,
    {{ known_number('reference_price') }} as reference_price
    {%- for name in settings.regressors.keys() | list + feature_names(use_case) %},
    {{ known_number(name) }} as {{ name }}
    {%- endfor %}
from {{ ref('forecasts') }} as issued
inner join {{ source('logs', 'forecast_log') }} as forecast_log
    on
        issued.run_id = forecast_log.run_id
        and issued.use_case = forecast_log.use_case
        and issued.series_id = forecast_log.series_id
        and issued.model_name = forecast_log.model_name
        and issued.origin_date = forecast_log.origin_date
        and issued.target_date = forecast_log.target_date
where
    issued.use_case = '{{ use_case }}'
    and issued.is_champion
    and {{ of_a_year(use_case, 'issued.origin_date') }}
    and {{ of_a_year(use_case, 'forecast_log.origin_date') }}
{%- if which %}
    and {{ which }}
{%- endif %}
{%- endmacro %}

{# A number of regressors_as_known. #}
{% macro known_number(name) -%}
safe_cast(json_value(issued.regressors_as_known, '$.{{ name }}') as float64)
{%- endmacro %}
