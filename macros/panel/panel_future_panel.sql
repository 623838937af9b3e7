{# Grain: series_id, origin_date, horizon_step. #}
{% macro panel_future_panel(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
select
    regressors.series_id,
    regressors.origin_date,
    series.as_of_at,
    series.run_id,
    regressors.horizon_step,
    regressors.ds as target_date,
    {%- for regressor in settings.regressors %}
    regressors.{{ regressor }},
    {%- endfor %}
    {{- select_features(use_case) }}
    regressors.reference_price,
    regressors.promo_source,
    regressors.weather_source,
    regressors.unsourced_regressors,
    regressors.share_forecast,
    regressors.missing_regressors,
    regressors.stops_run
from {{ ref(use_case ~ '_regressors') }} as regressors
inner join {{ ref(use_case ~ '_series') }} as series
    on
        regressors.series_id = series.series_id
        and regressors.origin_date = series.origin_date
{{- join_features(use_case, 'regressors', 'ds', 'regressors.horizon_step') }}
where regressors.horizon_step is not null
{%- endmacro %}
