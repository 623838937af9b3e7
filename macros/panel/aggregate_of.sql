{# The setting `aggregate` over a value: sum, mean, min, max, or last in the order given. #}
{% macro aggregate_of(aggregate, value, ordered_by) -%}
    {%- if aggregate == 'last' -%}
        any_value({{ value }} having max {{ ordered_by }})
    {%- else -%}
        {{ {'sum': 'sum', 'mean': 'avg', 'min': 'min', 'max': 'max'}[aggregate] }}({{ value }})
    {%- endif -%}
{%- endmacro %}
