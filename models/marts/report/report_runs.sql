{{
    config(
        partition_by={'field': 'origin_date', 'data_type': 'date'},
        cluster_by=['use_case', 'run_kind']
    )
}}
{# The page of the runs: what became of every series of each run and origin, why some got no
   forecast of their own, and how good what it issued has been since.
   One row per use_case, run_id, origin_date. #}
with run_accounts as (
    select * from {{ ref('run_accounts') }}
),

{# A reason ends at its first colon; what follows is of the one series. #}
reasons as (
    select
        use_case,
        run_id,
        origin_date,
        split(reason, ':')[offset(0)] as why,
        count(distinct series_id) as n_series
    from {{ ref('forecast_exceptions') }}
    group by use_case, run_id, origin_date, why
),

exceptions as (
    select
        use_case,
        run_id,
        origin_date,
        string_agg(
            concat(why, ' ', cast(n_series as string)), ', ' order by n_series desc, why asc
        ) as exceptions
    from reasons
    group by use_case, run_id, origin_date
),

scored as (
    select
        use_case,
        run_id,
        origin_date,
        countif(is_scored) as n_scored,
        countif(not is_scored) as n_unscored,
        sum(abs_error) as sum_abs_error,
        sum(abs_y) as sum_abs_y,
        sum(error) as sum_error,
        {{ wape() }} as wape
    from {{ ref('forecast_errors') }}
    where is_champion
    group by use_case, run_id, origin_date
)

select
    run_accounts.use_case,
    run_accounts.run_id,
    run_accounts.run_kind,
    run_accounts.is_as_issued,
    run_accounts.is_partial,
    run_accounts.origin_date,
    run_accounts.as_of_at,
    run_accounts.started_at,
    run_accounts.last_heard_at,
    run_accounts.seconds,
    run_accounts.status,
    run_accounts.failed_step,
    run_accounts.failure,
    run_accounts.n_series,
    run_accounts.n_forecast,
    run_accounts.n_fallback,
    run_accounts.n_refused,
    run_accounts.n_unaccounted,
    exceptions.exceptions,
    coalesce(scored.n_scored, 0) as n_scored,
    coalesce(scored.n_unscored, 0) as n_unscored,
    scored.sum_abs_error,
    scored.sum_abs_y,
    scored.sum_error,
    scored.wape
from run_accounts
left join exceptions
    on
        run_accounts.use_case = exceptions.use_case
        and run_accounts.run_id = exceptions.run_id
        and run_accounts.origin_date = exceptions.origin_date
left join scored
    on
        run_accounts.use_case = scored.use_case
        and run_accounts.run_id = scored.run_id
        and run_accounts.origin_date = scored.origin_date
