{# True where a regressor of the row was known to lie outside what the model was trained on; null where
   no range is known. Arguments as those of `regressors_outside`. #}
{% macro out_of_range(use_case, regressors_as_known, ranges) -%}
    ({{ regressors_outside(use_case, regressors_as_known, ranges) }} != '')
{%- endmacro %}
