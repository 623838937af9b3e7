{# Accuracy by use_case, run_kind and the columns named, in two bases: `comparable`, every
   model and baseline on the rows that all of them forecast (n_removed counts the scored rows
   left out for it), and `served`, the champion's rows as planners saw them, fallbacks
   included. Ratios are made here, last, from additive parts. Issued forecasts and backtests
   stand side by side and are never added up. `errors` selects the rows: those of forecast_errors,
   with the columns added where it has not got them.
   Grain: use_case, run_kind, the columns, basis, model_name. #}
{% macro accuracy_by(columns, errors=none) -%}
{%- set parts = ['y', 'yhat', 'yhat_lower', 'yhat_upper'] + error_part_names() -%}
{%- set columns = ['use_case', 'run_kind'] + columns -%}
{%- set grain = columns | join(', ') -%}
with errors as (
    {{ errors if errors is not none else 'select * from ' ~ ref('forecast_errors') }}
),

based as (
    select
        errors.*,
        basis,
        if(basis = 'served', 'served', errors.model_name) as scored_name,
        if(basis = 'served', errors.is_scored, errors.is_comparable) as is_counted
    from errors
    cross join unnest(['comparable', 'served']) as basis
    where basis = 'comparable' or errors.is_champion
),

counted as (
    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        basis,
        scored_name,
        is_baseline,
        is_scored,
        is_counted,
        {%- for part in parts %}
        if(is_counted, {{ part }}, null) as {{ part }}{{ ',' if not loop.last }}
        {%- endfor %}
    from based
),

measured as (
    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        basis,
        scored_name,
        logical_or(is_baseline) as is_baseline,
        countif(is_counted) as n_scored,
        countif(is_scored and not is_counted) as n_removed,
        countif(not is_scored) as n_unscored,
        sum(abs_error) as sum_abs_error,
        sum(abs_y) as sum_abs_y,
        {%- for metric in metric_names() if metric != 'forecast_value_added' %}
        {{ metric_value(metric) }} as {{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from counted
    group by {{ grain }}, basis, scored_name
),

settings as (
    {{ settings_rows() }}
)

select
    {%- for column in columns %}
    measured.{{ column }},
    {%- endfor %}
    measured.basis,
    measured.scored_name as model_name,
    measured.is_baseline,
    measured.n_scored,
    measured.n_removed,
    measured.n_unscored,
    measured.sum_abs_error,
    measured.sum_abs_y,
    {%- for metric in metric_names() %}
    {%- if metric == 'forecast_value_added' %}
    {{ forecast_value_added(
        'measured.wape',
        'measured.scored_name = settings.value_added_over',
        'measured.' ~ columns | join(', measured.') ~ ', measured.basis'
    ) }} as forecast_value_added{{ ',' if not loop.last }}
    {%- else %}
    measured.{{ metric }}{{ ',' if not loop.last }}
    {%- endif %}
    {%- endfor %}
from measured
inner join settings
    on measured.use_case = settings.use_case
{%- endmacro %}
