{# The page that asks whether the model is worth more than a baseline: both on the same rows, those
   that every model and baseline forecast (n_removed counts the scored rows left out for it).
   Value added = sum(sum_abs_error_saved) / sum(sum_abs_y): WAPE of the baseline - WAPE of the
   model. Grain: series_id, target_date, horizon_step, baseline. #}
{% macro report_value_added(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
with served as (
    {{ report_served(use_case) }}
),

baselines as (
    select * from {{ ref('forecast_errors') }}
    where use_case = '{{ use_case }}' and run_kind = 'issued' and is_baseline
),

keys as (
    {{ report_keys(use_case) }}
)

select
    served.series_id,
    {%- for part in settings.key %}
    keys.{{ part }},
    {%- endfor %}
    keys.demand_class,
    served.target_date,
    served.horizon_step,
    served.model_name,
    baselines.model_name as baseline,
    baselines.model_name = '{{ settings.value_added_over }}' as is_reference,
    if(served.is_comparable, 1, 0) as n_comparable,
    if(served.is_scored and not served.is_comparable, 1, 0) as n_removed,
    if(served.is_comparable, served.abs_y, null) as sum_abs_y,
    if(served.is_comparable, served.abs_error, null) as sum_abs_error,
    if(served.is_comparable, baselines.abs_error, null) as sum_baseline_abs_error,
    if(served.is_comparable, baselines.abs_error - served.abs_error, null) as sum_abs_error_saved,
    if(served.is_comparable and served.abs_error > baselines.abs_error, 1, 0) as n_worse
from served
inner join baselines
    on
        served.series_id = baselines.series_id
        and served.origin_date = baselines.origin_date
        and served.target_date = baselines.target_date
inner join keys
    on served.series_id = keys.series_id
{%- endmacro %}
