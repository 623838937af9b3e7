{# Prediction runs all of whose shards have ended well, from run_log: the view of the same name, for
   what is built before it. Grain: run_id, use_case. #}
{% macro finished_runs() -%}
with predict_events as (
    select * from {{ source('logs', 'run_log') }}
    where step = 'predict'
),

runs as (
    select
        run_id,
        use_case,
        any_value(run_kind) as run_kind,
        max(n_shards) as n_shards,
        count(distinct if(event = 'ended' and status = 'done', shard, null)) as n_shards_done,
        logical_or(is_partial) as is_partial,
        min(if(event = 'started', logged_at, null)) as started_at,
        max(if(event = 'ended' and status = 'done', logged_at, null)) as ended_at
    from predict_events
    group by run_id, use_case
)

select
    run_id,
    use_case,
    run_kind,
    n_shards,
    is_partial,
    started_at,
    ended_at
from runs
where n_shards_done >= n_shards
{%- endmacro %}
