{# The setting `aggregate` over a value: sum, mean, min, max, or last in the order given. Sums and
   means of floats differ in their last bits from run to run; rounded, the same rows give the
   same y, and so the same model. #}
{% macro aggregate_of(aggregate, value, ordered_by) -%}
    {%- if aggregate == 'last' -%}
        any_value({{ value }} having max {{ ordered_by }})
    {%- elif aggregate in ('sum', 'mean') -%}
        round({{ {'sum': 'sum', 'mean': 'avg'}[aggregate] }}({{ value }}), 9)
    {%- else -%}
        {{ aggregate }}({{ value }})
    {%- endif -%}
{%- endmacro %}
