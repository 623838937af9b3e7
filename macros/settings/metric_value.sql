{# The value of one metric: the aggregate that the macro of its name is, over rows of
   forecast_errors in which whatever does not count is null. forecast_value_added has none: it
   compares two rows of a mart. #}
{% macro metric_value(name) -%}
    {%- if context[name] is not defined -%}
        {{ exceptions.raise_compiler_error(
            "vars: metrics: '" ~ name ~ "' has no macro of its name. Write macros/metrics/" ~ name
            ~ ".sql, or take the line out."
        ) }}
    {%- endif -%}
    {{ context[name]() }}
{%- endmacro %}
