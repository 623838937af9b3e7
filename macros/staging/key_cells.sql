{# Every name that a series has among rows whose key's parts may be '*': its own parts, and each
   combination with '*' in their place. ARRAY<STRING>; a row is found by `series_id(parts)`. #}
{% macro key_cells(parts, relation) -%}
    {%- set cells = [] -%}
    {%- for mask in range(2 ** (parts | length)) -%}
        {%- set named = [] -%}
        {%- for part in parts -%}
            {%- set is_all = (mask // (2 ** loop.index0)) % 2 == 1 -%}
            {%- do named.append("'*'" if is_all else relation ~ '.' ~ part) -%}
        {%- endfor -%}
        {%- do cells.append(series_id(named)) -%}
    {%- endfor -%}
    [{{ cells | join(', ') }}]
{%- endmacro %}
