{# The active run of each use case: the one that was begun last, unless it is over; then the one
   that ended last. Grain: use_case. #}
{% macro active_runs() -%}
    select
        use_case,
        run_id
    from (
        select
            use_case,
            run_id,
            ended_at,
            begun_at = max(begun_at) over (partition by use_case)
            and coalesce(over_at < begun_at, true) as is_active
        from (
            select
                use_case,
                run_id,
                max(if(event = 'begun', logged_at, null)) as begun_at,
                max(if(event = 'ended', logged_at, null)) as ended_at,
                max(if(event != 'begun', logged_at, null)) as over_at
            from {{ source('logs', 'run_activations') }}
            group by use_case, run_id
        ) as runs
    ) as judged
    where is_active or ended_at is not null
    qualify row_number() over (
        partition by use_case order by coalesce(is_active, false) desc, ended_at desc
    ) = 1
{%- endmacro %}
