{# The regressors whose observed values the sales table itself holds (a column of their name in
   its mapping). #}
{% macro regressors_in_sales(use_case) -%}
    {%- set settings = use_case_settings(use_case) -%}
    {%- set names = [] -%}
    {%- for name in settings.regressors if name in settings.sources.sales.columns -%}
        {%- do names.append(name) -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}
