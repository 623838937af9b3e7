{# The periods in which a series is promoted on at least one day, by the plan as it now stands. No
   row where a use case has no plan, or its plan was never built. Grain: use_case, series_id, ds. #}
{% macro report_promotions() -%}
    {%- for use_case in built_use_cases(
        '', '_plan_days', or_all=false, with_source='promotions'
    ) %}
    select
        '{{ use_case }}' as use_case,
        series_id,
        {{ period_start(use_case, 'plan_date') }} as ds,
        count(*) as n_promo_days
    from {{ ref(use_case ~ '_plan_days') }}
    where superseded_at = {{ end_of_time() }}
    group by series_id, ds
    union all
    {%- endfor %}
    select
        '' as use_case,
        '' as series_id,
        cast(null as date) as ds,
        0 as n_promo_days
    from (select 1 as one) as nothing
    where one = 0
{%- endmacro %}
