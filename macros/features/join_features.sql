{# The joins of a panel with the features of its rows: those that the settings name, and those of
   the hand-written <use_case>_features; nothing where the use case has none.
   Arguments: the panel's alias, its period (ds or target_date) and its horizon_step, as SQL. #}
{% macro join_features(use_case, panel, ds, horizon_step) -%}
    {%- for relation in feature_relations(use_case) %}
left join {{ ref(relation) }} as {{ relation }}
    on
        {{ panel }}.series_id = {{ relation }}.series_id
        and {{ panel }}.origin_date = {{ relation }}.origin_date
        and {{ panel }}.{{ ds }} = {{ relation }}.ds
        and {{ horizon_step }} = {{ relation }}.horizon_step
    {%- endfor %}
{%- endmacro %}
