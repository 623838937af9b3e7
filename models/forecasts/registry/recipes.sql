{# The recipes in force at each active origin: those of the newest tune of the whole portfolio
   that was known then, and of later tunes of some series, for those series. A whole tune says
   something for every series, so it ends what earlier ones said.
   One row per use_case, model_name, segment, series_id, origin_date. #}
with origins as (
    select * from {{ ref('origins') }}
),

chosen as (
    select * from {{ source('logs', 'model_log') }}
    where status = 'chosen'
),

known as (
    select
        chosen.use_case,
        chosen.model_name,
        chosen.segment,
        chosen.series_id,
        chosen.run_id,
        chosen.hyperparameters as options,
        chosen.as_of_at as tuned_as_of_at,
        chosen.trained_at as tuned_at,
        origins.origin_date,
        origins.as_of_at
    from chosen
    inner join origins
        on
            chosen.use_case = origins.use_case
            and chosen.as_of_at <= origins.as_of_at
            and chosen.origin_date <= origins.origin_date
),

newest_whole as (
    select
        use_case,
        model_name,
        origin_date,
        run_id,
        tuned_as_of_at,
        tuned_at
    from known
    where segment = 'all' and series_id is null
    qualify row_number() over (
        partition by use_case, model_name, origin_date
        order by tuned_as_of_at desc, tuned_at desc, run_id desc
    ) = 1
),

{# Before the first tune of the whole, everything that was chosen for a series holds. #}
in_force as (
    select known.*
    from known
    left join newest_whole
        on
            known.use_case = newest_whole.use_case
            and known.model_name = newest_whole.model_name
            and known.origin_date = newest_whole.origin_date
    where
        newest_whole.run_id is null
        or known.run_id = newest_whole.run_id
        or known.tuned_as_of_at > newest_whole.tuned_as_of_at
        or (
            known.tuned_as_of_at = newest_whole.tuned_as_of_at
            and known.tuned_at > newest_whole.tuned_at
        )
    qualify row_number() over (
        partition by
            known.use_case,
            known.model_name,
            known.origin_date,
            coalesce(known.series_id, known.segment),
            known.series_id is null
        order by known.tuned_as_of_at desc, known.tuned_at desc, known.run_id desc
    ) = 1
)

select
    use_case,
    model_name,
    segment,
    series_id,
    origin_date,
    as_of_at,
    options,
    run_id,
    tuned_as_of_at,
    tuned_at
from in_force
