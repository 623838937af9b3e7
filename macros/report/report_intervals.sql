{# The page that asks whether intervals hold: coverage = sum(n_covered) / sum(n_with_interval), to be
   held against nominal_coverage; the rest lies below or above.
   Grain: series_id, target_date, horizon_step. #}
{% macro report_intervals(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
with served as (
    {{ report_served(use_case) }}
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
    cast({{ settings.interval }} as float64) as nominal_coverage,
    if(served.is_scored, 1, 0) as n_scored,
    if(served.is_covered is null, 0, 1) as n_with_interval,
    if(served.is_covered, 1, 0) as n_covered,
    if(served.is_covered is false and served.y < served.yhat_lower, 1, 0) as n_below,
    if(served.is_covered is false and served.y > served.yhat_upper, 1, 0) as n_above,
    if(served.is_covered is null, null, served.yhat_upper - served.yhat_lower) as sum_width,
    if(served.is_covered is null, null, served.abs_y) as sum_abs_y,
    served.interval_score as sum_interval_score
from served
inner join keys
    on served.series_id = keys.series_id
{%- endmacro %}
