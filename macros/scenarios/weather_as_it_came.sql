{# The scenario in which each issued forecast is made again with the weather that came. #}
{% macro weather_as_it_came() -%}
weather_as_it_came
{%- endmacro %}
