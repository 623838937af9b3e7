{# True where a regressor of the row was known to lie outside what the model was trained on. Both
   are JSON: {name: value} and {name: [lowest, highest]}. A regressor that either does not know says
   nothing; null where no range is known. #}
{% macro out_of_range(use_case, regressors_as_known, ranges) -%}
    {%- set outside = [] -%}
    {%- for name in use_case_settings(use_case).regressors -%}
        {%- set value = "safe_cast(json_value(" ~ regressors_as_known ~ ", '$." ~ name
            ~ "') as float64)" -%}
        {%- set lowest = "safe_cast(json_value(" ~ ranges ~ ", '$." ~ name ~ "[0]') as float64)" -%}
        {%- set highest = "safe_cast(json_value(" ~ ranges ~ ", '$." ~ name ~ "[1]') as float64)" -%}
        {%- do outside.append(
            "coalesce(" ~ value ~ " < " ~ lowest ~ " or " ~ value ~ " > " ~ highest ~ ", false)"
        ) -%}
    {%- endfor -%}
    {%- if outside -%}
    if({{ ranges }} is null, null, {{ outside | join(' or ') }})
    {%- else -%}
    cast(null as bool)
    {%- endif -%}
{%- endmacro %}
