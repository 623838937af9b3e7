{# Fails with each series and origin whose steps are not exactly 1..horizon. #}
{% test exactly_horizon_rows(model, use_case) %}
{%- set horizon = use_case_settings(use_case).horizon %}
select
    series_id,
    origin_date,
    count(distinct horizon_step) as n_steps
from {{ model }}
group by series_id, origin_date
having
    count(distinct horizon_step) != {{ horizon }}
    or min(horizon_step) != 1
    or max(horizon_step) != {{ horizon }}
{% endtest %}
