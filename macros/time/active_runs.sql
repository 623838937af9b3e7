{# The active run of each use case: the one that was begun last, unless it has ended or failed; then
   the one that ended last. Grain: use_case. #}
{% macro active_runs() -%}
    select
        use_case,
        run_id
    from (
        select
            *,
            logged_at = max(logged_at) over (partition by use_case) as is_newest
        from {{ source('logs', 'run_activations') }}
    ) as activations
    where event = 'ended' or (event = 'begun' and is_newest)
    qualify row_number() over (partition by use_case order by logged_at desc) = 1
{%- endmacro %}
