{# First day of the period that holds a date. DATE. Plain arithmetic: BigQuery and the emulator
   agree on it, and they do not on date_trunc(d, week). dayofweek counts from Sunday = 1. #}
{% macro period_start(use_case, date_expression) -%}
    {%- if period_days(use_case) == 1 -%}
        ({{ date_expression }})
    {%- else -%}
        date_sub(
            ({{ date_expression }}),
            interval mod(
                extract(dayofweek from ({{ date_expression }})) + {{ period_shift(use_case) }},
                {{ period_days(use_case) }}
            ) day
        )
    {%- endif -%}
{%- endmacro %}

{# The same for rows of all use cases: `settings` is the alias of the row's settings_rows. DATE. #}
{% macro period_start_by(settings, date_expression) -%}
    date_sub(
        ({{ date_expression }}),
        interval mod(
            extract(dayofweek from ({{ date_expression }})) + {{ settings }}.period_shift,
            {{ settings }}.period_days
        ) day
    )
{%- endmacro %}

{# Days that are added to dayofweek (Sunday = 1), so that the remainder after dividing by the days of
   a period counts from the period's first day. INT64. #}
{% macro period_shift(use_case) -%}
    {%- set days = [
        'sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'
    ] -%}
    {{ return(6 - days.index(use_case_settings(use_case).week_starts_on)) }}
{%- endmacro %}
