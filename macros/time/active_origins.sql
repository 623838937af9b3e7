{# The origins of the newest run of each use case (or of one), as run_origins holds them. A run
   writes them before dbt starts; the same run_id may write them again (a retry), which changes
   nothing. Grain: use_case, origin_date. #}
{% macro active_origins(use_case=none) -%}
    select distinct
        use_case,
        run_id,
        run_kind,
        origin_date,
        as_of_at
    from {{ source('logs', 'run_origins') }}
    {%- if use_case is not none %}
    where use_case = '{{ use_case }}'
    {%- endif %}
    qualify requested_at = max(requested_at) over (partition by use_case)
{%- endmacro %}
