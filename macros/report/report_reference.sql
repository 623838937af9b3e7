{# What the baseline that the settings measure value against forecast, beside what was issued.
   Grain: series_id, target_date, horizon_step. #}
{% macro report_reference(use_case) -%}
    select * from {{ ref('forecast_errors') }}
    where
        use_case = '{{ use_case }}'
        and run_kind = 'issued'
        and is_baseline
        and model_name = '{{ use_case_settings(use_case).value_added_over }}'
{%- endmacro %}
