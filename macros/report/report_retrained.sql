{# The weeks in which a series was retrained, and what was decided; a refusal retrains nothing.
   Grain: series_id, ds. #}
{% macro report_retrained(use_case) -%}
    select
        series_id,
        {{ period_start(
            use_case, "date(as_of_at, '" ~ use_case_settings(use_case).time_zone ~ "')"
        ) }} as ds,
        string_agg(distinct decision, ', ' order by decision) as decision
    from {{ ref('retraining_log') }}
    where use_case = '{{ use_case }}' and decision != 'refused'
    group by series_id, ds
{%- endmacro %}
