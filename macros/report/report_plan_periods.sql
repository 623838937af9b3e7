{# The periods that the promotion plan speaks for on every day, as it now stands: there, no row
   means no promotion, unless the settings say that it means nothing. Grain: ds. #}
{% macro report_plan_periods(use_case) -%}
{%- set plan = use_case_settings(use_case).sources.get('promotions') -%}
{%- if plan and plan.no_row_means == 'none' and use_case in built_use_cases('', '_plan_coverage') -%}
    select {{ period_start(use_case, 'plan_date') }} as ds
    from {{ ref(use_case ~ '_plan_coverage') }}
    where superseded_at = {{ end_of_time() }}
    group by ds
    having count(*) = {{ period_days(use_case) }}
{%- else -%}
    select cast(null as date) as ds
    from (select 1 as one)
    where one = 0
{%- endif -%}
{%- endmacro %}
