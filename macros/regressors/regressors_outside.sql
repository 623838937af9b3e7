{# The regressors and features of a forecast that were known to lie outside what its model was trained on, names
   with a space between, empty where all lie inside. Both arguments are JSON: {name: value} and
   {name: [lowest, highest]}. A regressor that either does not know says nothing; null where no
   range is known. #}
{% macro regressors_outside(use_case, regressors_as_known, ranges) -%}
    {%- set outside = [] -%}
    {%- set regressors = use_case_settings(use_case).regressors.keys() | list -%}
    {%- for name in regressors + feature_names(use_case) -%}
        {%- set value = "safe_cast(json_value(" ~ regressors_as_known ~ ", '$." ~ name
            ~ "') as float64)" -%}
        {%- set lowest = "safe_cast(json_value(" ~ ranges ~ ", '$." ~ name ~ "[0]') as float64)" -%}
        {%- set highest = "safe_cast(json_value(" ~ ranges ~ ", '$." ~ name ~ "[1]') as float64)" -%}
        {%- do outside.append(
            "if(" ~ value ~ " < " ~ lowest ~ " or " ~ value ~ " > " ~ highest
            ~ ", '" ~ name ~ " ', '')"
        ) -%}
    {%- endfor -%}
    {%- if outside -%}
    if({{ ranges }} is null, null, trim(concat({{ outside | join(', ') }})))
    {%- else -%}
    cast(null as string)
    {%- endif -%}
{%- endmacro %}
