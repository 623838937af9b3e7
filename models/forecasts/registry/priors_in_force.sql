{# The priors that a fit as of each active origin may use where its own run makes none: of each
   recipe those of the newest run, by what was known then. Runs of some series only make no
   priors; those of a tune belong to its candidates.
   One row per use_case, model_name, origin_date, recipe, coefficient. #}
with origins as (
    select * from {{ ref('origins') }}
),

portfolio_priors as (
    select * from {{ ref('portfolio_priors') }}
    where run_kind != 'tune'
),

newest as (
    select
        portfolio_priors.*,
        origins.origin_date as active_origin_date,
        origins.as_of_at as active_as_of_at
    from portfolio_priors
    inner join origins
        on
            portfolio_priors.use_case = origins.use_case
            and portfolio_priors.as_of_at <= origins.as_of_at
            and portfolio_priors.origin_date <= origins.origin_date
    qualify rank() over (
        partition by
            portfolio_priors.use_case,
            portfolio_priors.model_name,
            portfolio_priors.recipe,
            origins.origin_date
        order by
            portfolio_priors.as_of_at desc,
            portfolio_priors.origin_date desc,
            portfolio_priors.pooled_at desc,
            portfolio_priors.run_id desc
    ) = 1
)

select
    use_case,
    model_name,
    active_origin_date as origin_date,
    active_as_of_at as as_of_at,
    recipe,
    coefficient,
    centre,
    spread,
    n_series,
    run_id,
    origin_date as priors_origin_date,
    as_of_at as priors_as_of_at
from newest
