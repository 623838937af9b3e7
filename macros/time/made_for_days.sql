{# A condition on origin_date: early enough, and late enough, to have forecast one of the days, a
   sorted list of 'YYYY-MM-DD' as literals. none leaves it open. #}
{% macro made_for_days(column, days) -%}
    {%- if days -%}
    {{ column }} >= date_sub(date '{{ days[0] }}', interval {{ longest_horizon_days() }} day)
    and {{ column }} < date '{{ days[-1] }}'
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
