{# True where a forecast was made before the issue window of its origin closed. `forecast` has
   as_of_at and origin_date, `settings` are the use case's (settings_rows). #}
{% macro issued_in_time(forecast, settings) -%}
    date({{ forecast }}.as_of_at, {{ settings }}.time_zone)
    < date_add({{ forecast }}.origin_date, interval {{ settings }}.issue_window_days day)
{%- endmacro %}
