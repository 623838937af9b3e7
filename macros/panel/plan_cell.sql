{# The cell of the promotion plan that a series lies in: the parts of its key that an upload may
   restrict itself to, joined like a series_id; '' where uploads always speak for all. STRING. #}
{% macro plan_cell(use_case, relation) -%}
    {%- set parts = [] -%}
    {%- for part in covered_parts(use_case) -%}
        {%- do parts.append(relation ~ '.' ~ part) -%}
    {%- endfor -%}
    {{ series_id(parts) if parts else "''" }}
{%- endmacro %}
