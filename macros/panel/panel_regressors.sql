{# Grain: series_id, origin_date, ds; horizon_step is null for the past.
   Longer than most: one definition of each regressor. #}
{% macro panel_regressors(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set plan_regressors = regressors_from(use_case, 'plan') -%}
{%- set weather_regressors = regressors_from(use_case, 'weather') -%}
{%- set calendar_regressors = regressors_from(use_case, 'calendar') -%}
{%- set given_names = regressors_from(use_case, 'given') -%}
{%- set in_sales = regressors_in_sales(use_case) -%}
{%- set has_plan = 'promotions' in settings.sources -%}
{%- set has_weather = 'weather' in settings.sources -%}
{%- set has_price = 'price' in settings.sources.sales.columns -%}
{%- set no_row_means = settings.sources.get('promotions', {}).get('no_row_means') -%}
{%- set location = settings.sources.get('weather', {}).get('location_of_series', 'null') -%}
with series as (
    select
        *,
        cast({{ location }} as string) as location,
        {{ plan_cell(use_case, 'series') }} as plan_cell
    from {{ ref(use_case ~ '_series') }} as series
),

history as (
    select * from {{ ref(use_case ~ '_history') }}
),

{% if has_plan %}
plan as (
    select * from {{ ref(use_case ~ '_plan') }}
),

plan_periods as (
    {{ plan_periods(use_case) }}
),
{% endif %}

{% if has_weather %}
weather as (
    select * from {{ ref(use_case ~ '_weather') }}
),
{% endif %}

{% if has_price %}
reference_prices as (
    {{ reference_prices(use_case) }}
),
{% endif %}

calendar as (
    {{ calendar_shares(use_case) }}
),
{%- if given_names %}

given as (
    {{ given_regressors(use_case) }}
),
{%- endif %}

periods as (
    select
        series_id,
        origin_date,
        ds,
        cast(null as int64) as horizon_step,
        price
        {%- for regressor in in_sales %},
        {{ regressor }}
        {%- endfor %}
    from history
    union all
    select
        series_id,
        origin_date,
        {{ add_periods(
            use_case, period_start(use_case, 'origin_date'), 'horizon_step'
        ) }} as ds,
        horizon_step,
        cast(null as float64) as price
        {%- for regressor in in_sales %},
        cast(null as float64) as {{ regressor }}
        {%- endfor %}
    from series
    cross join unnest(generate_array(1, {{ settings.horizon }})) as horizon_step
),

known as (
    select
        periods.series_id,
        periods.origin_date,
        periods.ds,
        periods.horizon_step,
        periods.price,
        {%- for regressor in
            plan_regressors + weather_regressors + calendar_regressors + given_names %}
        coalesce(
            {%- if regressor in in_sales %}
            periods.{{ regressor }},
            {%- endif %}
            {%- if regressor in plan_regressors %}
            plan.{{ regressor }}
            {{- ', if(plan_periods.ds is not null, 0, null)' if no_row_means == 'none' }}
            {%- elif regressor in weather_regressors %}
            weather.{{ regressor }}
            {%- elif regressor in calendar_regressors %}
            calendar.{{ regressor }}, 0
            {%- else %}
            given.{{ regressor }}
            {%- endif %}
        ) as {{ regressor }},
        {%- endfor %}
        {%- if has_plan %}
        plan.n_priced_days,
        plan.sum_price,
        plan.n_discounted_days,
        plan.sum_discounted,
        {%- endif %}
        {%- if has_price %}
        last_value(reference_prices.reference_price ignore nulls) over (
            partition by periods.series_id, periods.origin_date
            order by periods.ds
            rows between unbounded preceding and 1 preceding
        ) as reference_price,
        {%- else %}
        cast(null as float64) as reference_price,
        {%- endif %}
        {%- if in_sales or has_plan %}
        case
            {%- for regressor in in_sales %}
            when periods.{{ regressor }} is not null then 'observed'
            {%- endfor %}
            {%- if has_plan %}
            when plan.ds is not null then 'plan'
            {%- endif %}
            {%- if no_row_means == 'none' %}
            when plan_periods.ds is not null then 'plan'
            {%- endif %}
            else '{{ 'unknown' if has_plan else 'none' }}'
        end as promo_source,
        {%- else %}
        'none' as promo_source,
        {%- endif %}
        {%- if has_weather %}
        coalesce(weather.weather_source, 'unknown') as weather_source,
        coalesce(weather.share_forecast, 0) as share_forecast
        {%- else %}
        'none' as weather_source,
        cast(0 as float64) as share_forecast
        {%- endif %}
    from periods
    inner join series
        on
            periods.series_id = series.series_id
            and periods.origin_date = series.origin_date
    {%- if has_plan %}
    left join plan
        on
            periods.series_id = plan.series_id
            and periods.origin_date = plan.origin_date
            and periods.ds = plan.ds
    left join plan_periods
        on
            series.plan_cell = plan_periods.plan_cell
            and periods.origin_date = plan_periods.origin_date
            and periods.ds = plan_periods.ds
    {%- endif %}
    {%- if has_weather %}
    left join weather
        on
            series.location = weather.location
            and periods.origin_date = weather.origin_date
            and periods.ds = weather.ds
    {%- endif %}
    {%- if has_price %}
    left join reference_prices
        on
            periods.series_id = reference_prices.series_id
            and periods.origin_date = reference_prices.origin_date
            and periods.ds = reference_prices.ds
    {%- endif %}
    left join calendar
        on periods.ds = calendar.ds
    {%- if given_names %}
    left join given
        on
            periods.series_id = given.series_id
            and periods.origin_date = given.origin_date
            and periods.ds = given.ds
    {%- endif %}
),

with_price_ratio as (
    select
        *,
        {{ price_ratio(use_case) if has_plan and has_price else 'cast(null as float64)' }}
            as log_price_ratio
    from known
),

{# Sums and means of floats differ in their last bits from run to run, and a fit makes much of
   little: rounded, the same inputs give the same models. A log ratio is small, and so is its
   noise: it keeps more decimals. #}
filled as (
    select
        series_id,
        origin_date,
        ds,
        horizon_step,
        {%- for regressor, rule in settings.regressors.items() %}
        round(
            {{ fill_missing(regressor, rule.when_missing) }},
            {{ 12 if regressor == 'log_price_ratio' else 9 }}
        ) as {{ regressor }},
        {%- endfor %}
        {{ names_of_null(settings.regressors) }} as unsourced_regressors,
        reference_price,
        promo_source,
        weather_source,
        round(share_forecast, 9) as share_forecast
    from with_price_ratio
)

select
    series_id,
    origin_date,
    ds,
    horizon_step,
    {%- for regressor in settings.regressors %}
    {{ regressor }},
    {%- endfor %}
    reference_price,
    promo_source,
    weather_source,
    share_forecast,
    unsourced_regressors,
    {{ names_of_null(settings.regressors) }} as missing_regressors,
    {%- for regressor, rule in settings.regressors.items() if rule.when_missing == 'stop_run' %}
    {{ regressor }} is null or
    {%- endfor %}
    false as stops_run
from filled
{%- endmacro %}

{# The names of the columns that are null in a row, space separated; empty where none is. #}
{% macro names_of_null(columns) -%}
trim(concat(
        ''
        {%- for column in columns %},
        if({{ column }} is null, '{{ column }} ', '')
        {%- endfor %}
    ))
{%- endmacro %}
