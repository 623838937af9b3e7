{# What a retraining decided, from the numbers of its event. STRING. Rows that were logged before
   periods were called so say too_few_weeks. #}
{% macro retraining_decision(numbers) -%}
    regexp_replace(json_value({{ numbers }}, '$.decision'), '^too_few_weeks$', 'too_few_periods')
{%- endmacro %}
