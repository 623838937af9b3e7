{# The share of each period's days that are holidays, a column a regressor of the calendar. A
   period without a holiday has no row. #}
{% macro calendar_shares(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set countries = settings.sources.get('calendar', {}).get('countries', []) -%}
select
    {{ period_start(use_case, 'holiday_date') }} as ds
    {%- for regressor in regressors_from(use_case, 'calendar') %}
    {%- set names = settings.regressors[regressor].names %},
    count(distinct {{ in_list('holiday_name', names, 'holiday_date') }})
    / {{ period_days(use_case) }} as {{ regressor }}
    {%- endfor %}
from {{ ref('stg_holidays') }}
where {{ in_list('country', countries, 'true', otherwise='false') }}
group by ds
{%- endmacro %}

{# `value` where `column` is one of `allowed`; without a list, `value` (or `otherwise`) always. #}
{% macro in_list(column, allowed, value, otherwise=none) -%}
    {%- if allowed -%}
        {%- set literals = [] -%}
        {%- for one in allowed -%}
            {%- do literals.append(
                "'" ~ one | replace("\\", "\\\\") | replace("'", "\\'") ~ "'"
            ) -%}
        {%- endfor -%}
        if({{ column }} in ({{ literals | join(', ') }}), {{ value }}, {{ otherwise or 'null' }})
    {%- else -%}
        {{ otherwise or value }}
    {%- endif -%}
{%- endmacro %}
