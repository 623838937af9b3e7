{# A regressor with its when_missing applied. refuse_series and stop_run leave the hole, which the
   gate then names; climatology was applied to the days, in panel_weather. #}
{% macro fill_missing(regressor, when_missing) -%}
    {%- if when_missing in ('none', 'carry_regular_price') -%}
        coalesce({{ regressor }}, 0)
    {%- elif when_missing == 'carry_last' -%}
        coalesce({{ regressor }}, last_value({{ regressor }} ignore nulls) over (
            partition by series_id, origin_date
            order by ds
            rows between unbounded preceding and 1 preceding
        ))
    {%- else -%}
        {{ regressor }}
    {%- endif -%}
{%- endmacro %}
