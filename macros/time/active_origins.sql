{# The origins of the active run of each use case (or of one), as run_origins holds them. The active
   run is the one that was begun last, by the warehouse's clock; where it has failed or ended, the
   one that ended last, so that a plain `dbt build` builds for a finished run. A deployment that
   has no row in run_activations yet takes the run that was asked for last.
   `--vars {look_back_from: {use_case, origin_date, as_of_at}}` stands in for all of
   them: what dbt then compiles looks back from there, and no run is disturbed.
   Grain: use_case, origin_date. #}
{% macro active_origins(use_case=none) -%}
    {%- set given = var('look_back_from', none) -%}
    {%- if given is not none %}
    select
        '{{ given.use_case }}' as use_case,
        'adhoc' as run_id,
        'adhoc' as run_kind,
        date '{{ given.origin_date }}' as origin_date,
        timestamp '{{ given.as_of_at }}' as as_of_at
    {%- if use_case is not none %}
    from (select 1 as looked_back_from) as looked_back_from
    where '{{ use_case }}' = '{{ given.use_case }}'
    {%- endif %}
    {%- else %}
    select distinct
        run_origins.use_case,
        run_origins.run_id,
        run_origins.run_kind,
        run_origins.origin_date,
        run_origins.as_of_at
    from {{ source('logs', 'run_origins') }} as run_origins
    left join ({{ active_runs() }}) as active
        on run_origins.use_case = active.use_case
    where
        (active.run_id is null or run_origins.run_id = active.run_id)
        {%- if use_case is not none %}
        and run_origins.use_case = '{{ use_case }}'
        {%- endif %}
    qualify
        active.run_id is not null
        or run_origins.requested_at
        = max(run_origins.requested_at) over (partition by run_origins.use_case)
    {%- endif %}
{%- endmacro %}
