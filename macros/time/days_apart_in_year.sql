{# Days between two dates by their day of the year, around the turn of it: 31 December and
   1 January are one apart. INT64, 0..183. #}
{% macro days_apart_in_year(a, b) -%}
    {%- set apart = 'abs(extract(dayofyear from ' ~ a ~ ') - extract(dayofyear from ' ~ b ~ '))' -%}
    least(
        {{ apart }},
        365 - {{ apart }}
    )
{%- endmacro %}
