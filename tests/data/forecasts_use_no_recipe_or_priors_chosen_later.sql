{# A recipe that was chosen, or a prior that was pooled, on weeks that the model's own origin had
   not seen would make its forecasts better than they could have been. What the log does not hold
   cannot show when it was chosen; a recipe of the model's own run (a retraining's challenger, put
   in force or not) is as old as the model. Of the active runs' origins. #}
with run_forecasts as (
    select distinct
        use_case,
        model_name,
        model_version,
        series_id
    from {{ ref('run_forecasts') }}
    where
        model_version is not null
        and {{ origin_bounds(none, 'origin_date') }}
),

models as (
    select
        *,
        json_value(hyperparameters, '$.priors.run_id') as priors_run_id,
        safe_cast(json_value(hyperparameters, '$.priors.origin_date') as date) as priors_date,
        json_value(hyperparameters, '$.recipe.run_id') as recipe_run_id
    from {{ source('logs', 'model_log') }}
    where status = 'trained'
),

priors as (
    select
        use_case,
        run_id,
        origin_date,
        max(as_of_at) as as_of_at
    from {{ source('logs', 'run_origins') }}
    group by use_case, run_id, origin_date
),

recipes as (
    select
        use_case,
        model_name,
        run_id,
        max(as_of_at) as as_of_at
    from {{ source('logs', 'model_log') }}
    where status = 'chosen'
    group by use_case, model_name, run_id
),

judged as (
    select
        models.use_case,
        models.model_name,
        models.model_version,
        models.series_id,
        models.origin_date,
        case
            when models.priors_run_id is not null and priors.run_id is null
                then 'priors_not_in_the_log'
            when priors.as_of_at > models.as_of_at then 'priors_pooled_later'
            when priors.origin_date > models.origin_date then 'priors_pooled_later'
            when
                models.recipe_run_id is not null
                and models.recipe_run_id != models.run_id
                and recipes.run_id is null
                then 'recipe_not_in_the_log'
            when recipes.as_of_at > models.as_of_at then 'recipe_chosen_later'
        end as defect
    from models
    left join priors
        on
            models.use_case = priors.use_case
            and models.priors_run_id = priors.run_id
            and models.priors_date = priors.origin_date
    left join recipes
        on
            models.use_case = recipes.use_case
            and models.model_name = recipes.model_name
            and models.recipe_run_id = recipes.run_id
    inner join run_forecasts
        on
            models.use_case = run_forecasts.use_case
            and models.model_name = run_forecasts.model_name
            and models.model_version = run_forecasts.model_version
            and run_forecasts.series_id = coalesce(models.series_id, run_forecasts.series_id)
)

select distinct
    use_case,
    model_name,
    model_version,
    series_id,
    origin_date,
    defect
from judged
where defect is not null
