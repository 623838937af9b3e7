{# A part of the key in a row that may speak of all its values: '*', or the value as text, read with
   the part's own type first (007 is 7 of an integer key). STRING; null where it cannot be read. #}
{% macro key_cell(expression, type) -%}
    if(
            safe_cast({{ expression }} as string) = '*',
            '*',
            cast(safe_cast({{ expression }} as {{ type }}) as string)
        )
{%- endmacro %}
