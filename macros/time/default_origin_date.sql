{# The last day fully observed before today, in the use case's time zone: for weeks that start on
   Monday, the last Sunday before today. From the calendar, never from the data. DATE. #}
{% macro default_origin_date(use_case, as_of_at) -%}
    {%- set today = "date(" ~ as_of_at ~ ", '" ~ use_case_settings(use_case).time_zone ~ "')" -%}
    date_sub({{ period_start(use_case, today) }}, interval 1 day)
{%- endmacro %}
