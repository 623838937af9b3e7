{# The column of a rolling statistic: y_roll_mean_4_lag1 is the mean of the 4 periods that end 1
   period before the row's own. python_jobs/infra/features.py names it the same. #}
{% macro rolling_name(rolling) -%}
    {{ return('y_roll_' ~ rolling.statistic ~ '_' ~ rolling.window ~ '_lag' ~ rolling.lag) }}
{%- endmacro %}
