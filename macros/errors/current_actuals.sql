{# The version of every actual that holds now, of the use cases named, with the columns named.
   Grain: use_case, series_id, ds. #}
{% macro current_actuals(use_cases, columns=['y', 'is_gap_filled', 'is_censored']) -%}
    {%- for use_case in use_cases %}
    select
        '{{ use_case }}' as use_case,
        series_id,
        ds,
        {{ columns | join(',\n        ') }}
    from {{ ref(use_case ~ '_actuals') }}
    where superseded_at = {{ end_of_time() }}
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
