{# What is known now of every past period of every series, on a dense calendar; no row where the
   features of the use case were never built. Grain: series_id, ds. #}
{% macro report_actuals(use_case) -%}
{%- if use_case in built_use_cases('', '_actuals') -%}
    select
        series_id,
        ds,
        y,
        price,
        is_gap_filled,
        is_censored
    from {{ ref(use_case ~ '_actuals') }}
    where superseded_at = {{ end_of_time() }}
{%- else -%}
    select
        '' as series_id,
        cast(null as date) as ds,
        cast(null as float64) as y,
        cast(null as float64) as price,
        false as is_gap_filled,
        false as is_censored
    from (select 1 as one)
    where one = 0
{%- endif -%}
{%- endmacro %}
