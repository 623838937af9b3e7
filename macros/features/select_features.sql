{# The features of a panel's rows as select items, each with a comma after it; nothing where the use
   case has none. `join_features` joins what they come from. #}
{% macro select_features(use_case) -%}
    {%- for relation, names in feature_relations(use_case).items() %}
    {%- for name in names %}
    {{ relation }}.{{ name }},
    {%- endfor %}
    {%- endfor %}
{%- endmacro %}
