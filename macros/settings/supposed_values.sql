{# What a row of a scenario may suppose: each regressor by its name, and a price in place of the
   ratio that is made of it. #}
{% macro supposed_values(use_case) -%}
    {%- set values = [] -%}
    {%- for regressor in use_case_settings(use_case).regressors -%}
        {%- do values.append('price' if regressor == 'log_price_ratio' else regressor) -%}
    {%- endfor -%}
    {{ return(values) }}
{%- endmacro %}
