{# The instant that monitoring is of: the newest second clock of the active run of each use case.
   Grain: use_case; columns as_of_at, origin_date. #}
{% macro monitored_at() -%}
    select
        use_case,
        max(as_of_at) as as_of_at,
        max(origin_date) as origin_date
    from {{ ref('origins') }}
    group by use_case
{%- endmacro %}
