{# Create the datasets that hold sources and logs, and the log tables, where they are missing.
   Changes nothing that exists. #}
{% macro create_log_tables() -%}
    {%- if execute and flags.WHICH in ['build', 'run', 'seed', 'test', 'run-operation'] -%}
        {%- for dataset in ['raw', 'logs'] -%}
            {%- do adapter.create_schema(api.Relation.create(
                database=target.project, schema=target.schema ~ '_' ~ dataset
            )) -%}
        {%- endfor -%}
        {%- for name, table in log_tables().items() -%}
            {%- do run_query(log_table_ddl(name, table)) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro log_table_ddl(name, table) -%}
create table if not exists `{{ target.project }}`.`{{ target.schema }}_logs`.`{{ name }}` (
    {%- for column, type in table.columns.items() %}
    {{ column }} {{ type }}{{ ',' if not loop.last }}
    {%- endfor %}
)
{%- if table.partition_by %}
partition by {{ table.partition_by }}
{%- endif %}
{%- if table.cluster_by %}
cluster by {{ table.cluster_by }}
{%- endif %}
{%- endmacro %}
