{# The periods in which a series is promoted on at least one day, by the plan as it now stands.
   No row where there is no plan. Grain: series_id, ds. #}
{% macro report_promotions(use_case) -%}
{%- set has_plan = 'promotions' in use_case_settings(use_case).sources -%}
{%- if has_plan and use_case in built_use_cases('', '_plan_days') -%}
    select
        series_id,
        {{ period_start(use_case, 'plan_date') }} as ds,
        count(*) as n_promo_days
    from {{ ref(use_case ~ '_plan_days') }}
    where superseded_at = {{ end_of_time() }}
    group by series_id, ds
{%- else -%}
    select
        '' as series_id,
        cast(null as date) as ds,
        0 as n_promo_days
    from (select 1 as one)
    where one = 0
{%- endif -%}
{%- endmacro %}
