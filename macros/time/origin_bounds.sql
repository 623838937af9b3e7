{# A condition on a partitioned DATE column with the literal dates that the active run's origins
   span: column >= first origin - `before` days and column <= last origin + `after` days. none
   leaves that side open. #}
{% macro origin_bounds(use_case, column, before=0, after=0) -%}
    {%- set bounds = run_bounds(use_case) -%}
    {%- set conditions = [] -%}
    {%- if bounds.first is not none -%}
        {%- if before is not none -%}
            {%- do conditions.append(
                column ~ " >= date_sub(date '" ~ bounds.first ~ "', interval " ~ before ~ " day)"
            ) -%}
        {%- endif -%}
        {%- if after is not none -%}
            {%- do conditions.append(
                column ~ " <= date_add(date '" ~ bounds.last ~ "', interval " ~ after ~ " day)"
            ) -%}
        {%- endif -%}
    {%- endif -%}
    {{ (conditions or ['true']) | join(' and ') }}
{%- endmacro %}
