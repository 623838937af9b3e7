{# The origins of the newest run of each use case (or of one), as run_origins holds them. A run
   writes them before dbt starts; the same run_id may write them again (a retry), which changes
   nothing. `--vars {look_back_from: {use_case, origin_date, as_of_at}}` stands in for all of
   them: what dbt then compiles looks back from there, and no run is disturbed.
   Grain: use_case, origin_date. #}
{% macro active_origins(use_case=none) -%}
    {%- set given = var('look_back_from', none) -%}
    select distinct
        use_case,
        run_id,
        run_kind,
        origin_date,
        as_of_at
    {%- if given is none %}
    from {{ source('logs', 'run_origins') }}
    {%- else %}
    from (
        select
            '{{ given.use_case }}' as use_case,
            'adhoc' as run_id,
            'adhoc' as run_kind,
            date '{{ given.origin_date }}' as origin_date,
            timestamp '{{ given.as_of_at }}' as as_of_at,
            timestamp '{{ given.as_of_at }}' as requested_at
    ) as looked_back_from
    {%- endif %}
    {%- if use_case is not none %}
    where use_case = '{{ use_case }}'
    {%- endif %}
    qualify requested_at = max(requested_at) over (partition by use_case)
{%- endmacro %}
