{# Grain: series_id, origin_date. #}
{% macro panel_gate(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
with series as (
    select * from {{ ref(use_case ~ '_series') }}
),

decisions as (
    select * from {{ ref('series_decisions') }}
    where
        use_case = '{{ use_case }}'
        and decision = 'serve_baseline'
),

holes as (
    select
        series_id,
        origin_date,
        string_agg(
            concat(missing_regressors, ' unknown for ', cast(target_date as string)),
            '; ' order by horizon_step
        ) as missing_regressors,
        logical_or(stops_run) as stops_run
    from {{ ref(use_case ~ '_future_panel') }}
    where missing_regressors != ''
    group by series_id, origin_date
)

select
    series.series_id,
    series.origin_date,
    series.as_of_at,
    series.run_id,
    case
        when series.reason = 'inactive' or series.y_lag1 is null then 'refused'
        when not series.is_forecastable then 'baseline'
        when decisions.baseline is not null then 'baseline'
        when holes.missing_regressors is not null then 'baseline'
        {%- if settings.when_stale != 'warn' %}
        when series.periods_stale > {{ settings.max_periods_stale }} then 'baseline'
        {%- endif %}
        else 'model'
    end as route,
    case
        when series.reason = 'inactive' then 'inactive'
        when series.y_lag1 is null then 'never_observed'
        when not series.is_forecastable then series.reason
        when decisions.baseline is not null then concat('serve_baseline: ', decisions.baseline)
        when holes.missing_regressors is not null then 'missing_regressors'
        {%- if settings.when_stale != 'warn' %}
        when series.periods_stale > {{ settings.max_periods_stale }} then 'stale_actuals'
        {%- endif %}
    end as reason,
    if(decisions.baseline is null, holes.missing_regressors, null) as missing_regressors,
    series.y_lag1,
    series.observed_ds,
    series.periods_stale,
    decisions.baseline is null and coalesce(holes.stops_run, false) as stops_run
from series
left join decisions
    on
        series.series_id = decisions.series_id
        and series.origin_date = decisions.origin_date
left join holes
    on
        series.series_id = holes.series_id
        and series.origin_date = holes.origin_date
{%- endmacro %}
