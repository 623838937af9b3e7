{# The periods that the promotion plan speaks for on every day, as it now stands: there, no row
   means no promotion. No row for a use case whose settings say that no row means nothing.
   Grain: use_case, plan_cell, ds. #}
{% macro report_plan_periods() -%}
    {%- for use_case in built_use_cases(
        '', '_plan_coverage', or_all=false, with_source='promotions'
    )
        if use_case_settings(use_case).sources.promotions.no_row_means == 'none' %}
    select
        '{{ use_case }}' as use_case,
        plan_cell,
        {{ period_start(use_case, 'plan_date') }} as ds
    from {{ ref(use_case ~ '_plan_coverage') }}
    where superseded_at = {{ end_of_time() }}
    group by plan_cell, ds
    having count(*) = {{ period_days(use_case) }}
    union all
    {%- endfor %}
    select
        '' as use_case,
        '' as plan_cell,
        cast(null as date) as ds
    from (select 1 as one) as nothing
    where one = 0
{%- endmacro %}
