{# First and last origin_date of the active runs, as date literals ('YYYY-MM-DD', or none where
   no run was ever started). BigQuery prunes partitions on constants only, never through a
   join with `origins`. They are read when a statement is rendered, so that a new run does not
   make dbt parse the project again. #}
{% macro run_bounds(use_case=none) -%}
    {%- if not execute -%}{{ return({'first': none, 'last': none}) }}{%- endif -%}
    {%- set query -%}
        select
            cast(min(origin_date) as string) as first_origin,
            cast(max(origin_date) as string) as last_origin
        from ({{ active_origins(use_case) }})
    {%- endset -%}
    {%- set row = run_query(query).rows[0] -%}
    {{ return({'first': row[0], 'last': row[1]}) }}
{%- endmacro %}
