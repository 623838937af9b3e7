{# The named periods and the target dates that each counts: the last 1, 4 and 13 weeks up to the
   newest complete one, and the calendar months of those 13 weeks, whole, as far as they were
   forecast. One row per use_case, run_kind, period, target_date. #}
with scored_targets as (
    select * from {{ ref('scored_targets') }}
    where last_complete_date is not null and target_date <= last_complete_date
),

settings as (
    {{ settings_rows() }}
),

windows as (
    select
        name,
        n_weeks
    from unnest([
        struct('last_1_week' as name, 1 as n_weeks),
        struct('last_4_weeks' as name, 4 as n_weeks),
        struct('last_13_weeks' as name, 13 as n_weeks)
    ])
),

{# A window ends with the last day of the newest complete period. #}
aged as (
    select
        scored_targets.use_case,
        scored_targets.run_kind,
        scored_targets.target_date,
        date_diff(
            date_add(scored_targets.last_complete_date, interval settings.period_days - 1 day),
            scored_targets.target_date,
            day
        ) as age_days,
        format_date('%Y-%m', scored_targets.target_date) as month
    from scored_targets
    inner join settings
        on scored_targets.use_case = settings.use_case
),

months as (
    select distinct
        use_case,
        run_kind,
        month
    from aged
    where age_days < 13 * 7
)

select
    aged.use_case,
    aged.run_kind,
    windows.name as period,
    aged.target_date
from aged
inner join windows
    on aged.age_days < windows.n_weeks * 7

union all

select
    aged.use_case,
    aged.run_kind,
    aged.month as period,
    aged.target_date
from aged
inner join months
    on
        aged.use_case = months.use_case
        and aged.run_kind = months.run_kind
        and aged.month = months.month
