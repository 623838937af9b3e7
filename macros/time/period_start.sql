{# First day of the period that holds a date. DATE. Plain arithmetic: BigQuery and the emulator
   agree on it, and they do not on date_trunc(d, week). dayofweek counts from Sunday = 1. #}
{% macro period_start(use_case, date_expression) -%}
    {%- set settings = use_case_settings(use_case) -%}
    {%- if settings.grain == 'day' -%}
        ({{ date_expression }})
    {%- else -%}
        {%- set days = [
            'sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'
        ] -%}
        {%- set shift = 6 - days.index(settings.week_starts_on) -%}
        date_sub(
            ({{ date_expression }}),
            interval mod(extract(dayofweek from ({{ date_expression }})) + {{ shift }}, 7) day
        )
    {%- endif -%}
{%- endmacro %}
