{# True where a plan regressor was known to be other than 0 for the row: the promotion that the
   forecast was made with. `regressors_as_known` is JSON; null where it is, or where nothing comes
   from a plan. log_price_ratio follows from prices and says nothing by itself. #}
{% macro is_promotion(use_case, regressors_as_known) -%}
    {%- set known = [] -%}
    {%- for name in regressors_from(use_case, 'plan') -%}
        {%- do known.append(
            "coalesce(safe_cast(json_value(" ~ regressors_as_known ~ ", '$." ~ name
            ~ "') as float64) != 0, false)"
        ) -%}
    {%- endfor -%}
    {%- if known -%}
    if({{ regressors_as_known }} is null, null, {{ known | join(' or ') }})
    {%- else -%}
    cast(null as bool)
    {%- endif -%}
{%- endmacro %}
