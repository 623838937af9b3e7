{# Why an actual cannot be scored: not_arrived (no such row), gap or sold_out; null where it can.
   `actuals` is the alias of what was joined to a forecast. #}
{% macro actual_defect(actuals) -%}
    case
        when {{ actuals }}.ds is null then 'not_arrived'
        when {{ actuals }}.is_gap_filled then 'gap'
        when {{ actuals }}.is_censored then 'sold_out'
    end
{%- endmacro %}
