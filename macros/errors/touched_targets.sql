{# The days whose rows of forecast_errors (`scored`, which exists) have to be made again, as
   literals for BigQuery to prune by: what the active runs forecast; the last lookback_periods;
   and, however far back, the days of actuals that are not what was scored, of the use cases whose
   actuals are `built`. A list of 'YYYY-MM-DD', none of them necessarily a target. #}
{% macro touched_targets(scored, built) -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set days = run_query(touched_targets_query(scored, built)).columns[0].values() | list -%}
    {{ return(days) }}
{%- endmacro %}

{% macro touched_targets_query(scored, built) -%}
with origins as (
    {{ active_origins() }}
),

settings as (
    {{ settings_rows() }}
),

spans as (
    select
        date_sub(
            max(origins.origin_date),
            interval any_value(settings.lookback_periods * settings.period_days) - 1 day
        ) as first_day,
        max(origins.origin_date) as last_day
    from origins
    inner join settings
        on origins.use_case = settings.use_case
    group by origins.use_case
    union all
    select
        date_add(origins.origin_date, interval 1 day) as first_day,
        date_add(
            origins.origin_date, interval settings.horizon * settings.period_days day
        ) as last_day
    from origins
    inner join settings
        on origins.use_case = settings.use_case
),

due as (
    select day
    from spans
    cross join unnest(generate_date_array(first_day, last_day)) as day
    {%- if built %}
    union distinct
    select target_date as day
    from ({{ revised_targets(scored, built) }})
    {%- endif %}
)

select cast(day as string) as day
from due
group by day
order by day
{%- endmacro %}

{# The targets of `scored` whose actuals are now other than those that were scored: corrected,
   arrived, or gone. #}
{% macro revised_targets(scored, use_cases) -%}
    select distinct scored.target_date
    from (
        select
            use_case,
            series_id,
            target_date,
            any_value(y) as y,
            any_value(
                if(unscored_reason = 'no_forecast', null, unscored_reason)
            ) as defect
        from {{ scored }}
        where not is_baseline
        group by use_case, series_id, target_date
    ) as scored
    left join ({{ current_actuals(use_cases) }}) as actuals
        on
            scored.use_case = actuals.use_case
            and scored.series_id = actuals.series_id
            and scored.target_date = actuals.ds
    where
        scored.use_case in ('{{ use_cases | join("', '") }}')
        and (
            scored.defect is distinct from {{ actual_defect('actuals') }}
            or scored.y is distinct from if(
                {{ actual_defect('actuals') }} is null, actuals.y, null
            )
        )
{%- endmacro %}
