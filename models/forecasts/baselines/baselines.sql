{# The baselines of every run of every use case.
   One row per use_case, run_id, series_id, origin_date, model_name, horizon_step. #}
{% for use_case in built_use_cases('', '_baselines') %}
select
    '{{ use_case }}' as use_case,
    run_id,
    series_id,
    origin_date,
    target_date,
    horizon_step,
    model_name,
    yhat
from {{ ref(use_case ~ '_baselines') }}
{{ 'union all' if not loop.last }}
{% endfor %}
