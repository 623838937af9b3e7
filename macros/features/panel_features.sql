{# Grain: series_id, origin_date, ds, horizon_step. #}
{% macro panel_features(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set features = settings.features -%}
{%- set lags = own_lags(use_case) -%}
{%- set newest_period = period_start(use_case, 'origin_date') -%}
with series as (
    select * from {{ ref(use_case ~ '_series') }}
),

history as (
    select * from {{ ref(use_case ~ '_history') }}
),
{%- if features.attributes %}

attributes as (
    {{ series_attributes(use_case) }}
),
{%- endif %}

timeline as (
    select
        series_id,
        origin_date,
        ds,
        {{ periods_between(use_case, newest_period, 'ds') }} as period_number,
        if(is_observed, y, null) as y
    from history
    union all
    select
        series_id,
        origin_date,
        {{ add_periods(use_case, newest_period, 'period_number') }} as ds,
        period_number,
        cast(null as float64) as y
    from series
    cross join unnest(generate_array(1, {{ settings.horizon }})) as period_number
),

looked_back as (
    select
        series_id,
        origin_date,
        ds,
        period_number
        {%- for lag in lags %},
        {{ lagged_y('max', lag, lag) }} as {{ lag_name(lag) }}
        {%- endfor %}
        {%- for rolling in features.rolling %},
        round({{ lagged_y(
            rolling_aggregate(rolling.statistic), rolling.lag, rolling.lag + rolling.window - 1
        ) }}, 9) as {{ rolling_name(rolling) }}
        {%- endfor %}
    from timeline
),

{# A future period is forecast at its own step only. #}
stepped as (
    select
        looked_back.*,
        horizon_step
    from looked_back
    cross join unnest(generate_array(1, {{ settings.horizon }})) as horizon_step
    where
        horizon_step = looked_back.period_number
        or (looked_back.period_number <= 0 and horizon_step <= {{ training_steps(use_case) }})
)

select
    stepped.series_id,
    stepped.origin_date,
    stepped.ds,
    stepped.horizon_step
    {%- for lag in lags %},
    if(stepped.horizon_step <= {{ lag }}, stepped.{{ lag_name(lag) }}, null)
        as {{ lag_name(lag) }}
    {%- endfor %}
    {%- for rolling in features.rolling %},
    if(stepped.horizon_step <= {{ rolling.lag }}, stepped.{{ rolling_name(rolling) }}, null)
        as {{ rolling_name(rolling) }}
    {%- endfor %}
    {%- for part in features.date_parts %},
    {{ date_part(part, 'stepped.ds') }} as {{ part }}
    {%- endfor %}
    {%- for attribute in features.attributes %},
    attributes.{{ attribute }}
    {%- endfor %}
from stepped
{%- if features.attributes %}
left join attributes
    on
        stepped.series_id = attributes.series_id
        and stepped.origin_date = attributes.origin_date
{%- endif %}
{%- endmacro %}
