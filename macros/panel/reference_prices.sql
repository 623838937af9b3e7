{# The regular price of a series after each period with a price: the median of the last 13 such
   periods, of those without promotion where there are any (promotion: a regressor of the plan is
   not 0). Grain: series_id, origin_date, ds. #}
{% macro reference_prices(use_case) -%}
{%- set plan_regressors = regressors_from(use_case, 'plan') -%}
{%- set in_sales = regressors_in_sales(use_case) -%}
{%- set has_plan = 'promotions' in use_case_settings(use_case).sources -%}
with history as (
    select * from {{ ref(use_case ~ '_history') }}
    where price > 0
),

{% if has_plan %}
plan as (
    select * from {{ ref(use_case ~ '_plan') }}
),
{% endif %}

priced as (
    select
        history.series_id,
        history.origin_date,
        history.ds,
        history.price,
        {%- for regressor in plan_regressors %}
        {%- set sources = 'plan.' ~ regressor %}
        {%- if regressor in in_sales %}
        {%- set sources = 'history.' ~ regressor ~ ', plan.' ~ regressor %}
        {%- endif %}
        coalesce({{ sources }}, 0) = 0
        {{- ' and' if not loop.last }}
        {%- else %}
        true
        {%- endfor %} as is_regular
    from history
    {%- if has_plan %}
    left join plan
        on
            history.series_id = plan.series_id
            and history.origin_date = plan.origin_date
            and history.ds = plan.ds
    {%- endif %}
),

windows as (
    select
        series_id,
        origin_date,
        ds,
        array_agg(struct(price as price, is_regular as is_regular)) over (
            partition by series_id, origin_date
            order by ds
            rows between 12 preceding and current row
        ) as last_13
    from priced
),

window_prices as (
    select
        series_id,
        origin_date,
        ds,
        period.price,
        period.is_regular,
        logical_or(period.is_regular) over (
            partition by series_id, origin_date, ds
        ) as has_regular
    from windows
    cross join unnest(last_13) as period
),

sorted as (
    select
        series_id,
        origin_date,
        ds,
        array_agg(price order by price) as prices
    from window_prices
    where is_regular or not has_regular
    group by series_id, origin_date, ds
)

select
    series_id,
    origin_date,
    ds,
    {{ median_of_sorted('prices') }} as reference_price
from sorted
{%- endmacro %}
