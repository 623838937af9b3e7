{# Grain: scenario, series_id, target_date. #}
{% macro scenario_panel(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set parts = settings.key.keys() | list -%}
{%- set values = supposed_values(use_case) -%}
with scenarios as (
    select * from {{ ref('stg_' ~ use_case ~ '_scenarios') }}
    where rejected_because is null
),

frozen as (
    {{ frozen_forecasts(use_case) }}
    qualify rank() over (partition by issued.series_id order by issued.origin_date desc) = 1
),

named as (
    select
        scenarios.*,
        frozen.series_id,
        row_number() over (
            partition by scenarios.scenario, frozen.series_id, scenarios.target_date
            order by scenarios.n_named, scenarios.source_row
        ) as fill_rank
    from scenarios
    inner join frozen
        on
            scenarios.target_date = frozen.target_date
            {%- for part in parts %}
            and (
                scenarios.{{ part }} = '*'
                or scenarios.{{ part }} = cast(frozen.{{ part }} as string)
            )
            {%- endfor %}
),

supposed as (
    select
        scenario,
        series_id,
        target_date
        {%- for value in values %},
        any_value({{ value }} having max if({{ value }} is null, null, fill_rank)) as {{ value }}
        {%- endfor %}
    from named
    group by scenario, series_id, target_date
),

questions as (
    select distinct
        scenario,
        series_id
    from named
)

select
    questions.scenario,
    frozen.* except (
        {{ (parts + ['reference_price'] + settings.regressors.keys() | list) | join(', ') }}
    ),
    supposed.series_id is not null as is_supposed
    {%- for regressor in settings.regressors %},
    {%- if regressor == 'log_price_ratio' %}
    if(
        supposed.price is null,
        frozen.log_price_ratio,
        round(ln(supposed.price / nullif(frozen.reference_price, 0)), 12)
    ) as log_price_ratio
    {%- else %}
    coalesce(supposed.{{ regressor }}, frozen.{{ regressor }}) as {{ regressor }}
    {%- endif %}
    {%- endfor %}
from questions
inner join frozen
    on questions.series_id = frozen.series_id
left join supposed
    on
        questions.scenario = supposed.scenario
        and questions.series_id = supposed.series_id
        and frozen.target_date = supposed.target_date
{%- endmacro %}
