{# The horizon steps that a training row stands for: 1 where the training grain is the period, as a
   one-step forecast would have seen it; 1..horizon where it is the horizon step. #}
{% macro training_steps(use_case) -%}
    {%- set settings = use_case_settings(use_case) -%}
    {{ return(settings.horizon if settings.training_grain == 'horizon_step' else 1) }}
{%- endmacro %}
