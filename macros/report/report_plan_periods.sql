{# The periods that the promotion plan speaks for on every day, as it now stands: there, no row
   means no promotion, unless the settings say that it means nothing. Grain: plan_cell, ds. #}
{% macro report_plan_periods(use_case) -%}
{%- set plan = use_case_settings(use_case).sources.get('promotions') -%}
{%- set is_built = use_case in built_use_cases('', '_plan_coverage') -%}
{%- if plan and plan.no_row_means == 'none' and is_built -%}
    select
        plan_cell,
        {{ period_start(use_case, 'plan_date') }} as ds
    from {{ ref(use_case ~ '_plan_coverage') }}
    where superseded_at = {{ end_of_time() }}
    group by plan_cell, ds
    having count(*) = {{ period_days(use_case) }}
{%- else -%}
    select
        '' as plan_cell,
        cast(null as date) as ds
    from (select 1 as one)
    where one = 0
{%- endif -%}
{%- endmacro %}
