{# The forecasts of the baseline that the settings measure value against, beside what was issued.
   Joins `settings`, the CTE of settings_rows.
   Grain: use_case, series_id, target_date, horizon_step. #}
{% macro report_reference() -%}
    select errors.*
    from {{ ref('forecast_errors') }} as errors
    inner join settings
        on
            errors.use_case = settings.use_case
            and errors.model_name = settings.value_added_over
    where errors.run_kind = 'issued' and errors.is_baseline
{%- endmacro %}
