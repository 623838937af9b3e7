{# The names of a use case's regressors whose future comes from `future`: plan, weather or
   calendar. log_price_ratio follows from prices and is left out; see `has_price_ratio`. #}
{% macro regressors_from(use_case, future) -%}
    {%- set names = [] -%}
    {%- for name, regressor in use_case_settings(use_case).regressors.items() -%}
        {%- if regressor.future == future and name != 'log_price_ratio' -%}
            {%- do names.append(name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}
