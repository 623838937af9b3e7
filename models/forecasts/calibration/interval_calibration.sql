{{ config(materialized='table', cluster_by=['use_case', 'model_name']) }}
{# By how much the half width of each model's interval is multiplied at each active origin, so that
   intervals hold what they say: the conformal quantile of the scores of past residuals, by the
   series' demand class and for all series together, and never smaller at a later step. A
   segment and step with fewer residuals than min_calibration_residuals has no row.
   One row per use_case, model_name, origin_date, segment, horizon_step. #}
{%- set grain = 'use_case, model_name, origin_date, segment, horizon_step' %}
with residuals as (
    select * from {{ ref('calibration_residuals') }}
),

settings as (
    {{ settings_rows() }}
),

segmented as (
    {%- for segment in ['segment', "'all'"] %}
    select
        use_case,
        model_name,
        origin_date,
        {{ segment }} as segment,
        horizon_step,
        forecast_origin_date,
        target_date,
        score
    from residuals
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

ranked as (
    select
        *,
        row_number() over (partition by {{ grain }} order by score) as score_rank,
        count(*) over (partition by {{ grain }}) as n_scores
    from segmented
),

quantiles as (
    select
        ranked.use_case,
        ranked.model_name,
        ranked.origin_date,
        ranked.segment,
        ranked.horizon_step,
        {{ conformal_factor(
            'ranked.score', 'ranked.score_rank', 'ranked.n_scores', 'settings.nominal_coverage'
        ) }} as quantile,
        count(*) as n_residuals,
        count(distinct ranked.forecast_origin_date) as n_origins,
        min(ranked.target_date) as first_target_date,
        max(ranked.target_date) as last_target_date,
        any_value(settings.min_calibration_residuals) as min_residuals
    from ranked
    inner join settings
        on ranked.use_case = settings.use_case
    group by
        ranked.use_case,
        ranked.model_name,
        ranked.origin_date,
        ranked.segment,
        ranked.horizon_step
)

select
    use_case,
    model_name,
    origin_date,
    segment,
    horizon_step,
    max(quantile) over (
        partition by use_case, model_name, origin_date, segment
        order by horizon_step
    ) as factor,
    n_residuals,
    n_origins,
    first_target_date,
    last_target_date
from quantiles
where
    quantile is not null
    and n_residuals >= min_residuals
