{# True where a source's cell holds something that is not of the type: text in place of a number, a
   number that is none or infinite. An empty cell is missing, not unreadable. BOOL. #}
{% macro is_unreadable(expression, type) -%}
    (
            coalesce(trim(safe_cast({{ expression }} as string)), '') != ''
            and safe_cast({{ expression }} as {{ type }}) is null
        )
        {%- if type == 'float64' %}
        or coalesce(is_nan(safe_cast({{ expression }} as float64)), false)
        or coalesce(is_inf(safe_cast({{ expression }} as float64)), false)
        {%- endif %}
{%- endmacro %}
