{# The cell of the promotion plan that a series lies in: the parts of its key that an upload may
   restrict itself to, joined like a series_id; '' where uploads always speak for all. STRING. #}
{% macro plan_cell(use_case, relation) -%}
    {%- set parts = [] -%}
    {%- for part in covered_parts(use_case) -%}
        {%- do parts.append(relation ~ '.' ~ part) -%}
    {%- endfor -%}
    {{ series_id(parts) if parts else "''" }}
{%- endmacro %}

{# The same for rows of all use cases. `relation` has use_case and the key's columns. #}
{% macro plan_cells(relation) -%}
    case {{ relation }}.use_case
        {%- for use_case in use_cases() %}
        when '{{ use_case }}' then {{ plan_cell(use_case, relation) }}
        {%- endfor %}
    end
{%- endmacro %}
