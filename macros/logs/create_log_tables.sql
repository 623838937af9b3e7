{# Create the datasets that hold sources and logs, and the tables of both that Shelfcast makes,
   where they are missing. A table that an earlier version made gets the columns that it lacks;
   nothing else of it changes. #}
{% macro create_log_tables() -%}
    {%- if execute and flags.WHICH in ['build', 'run', 'seed', 'test', 'run-operation'] -%}
        {%- for dataset in ['raw', 'logs'] -%}
            {%- do adapter.create_schema(api.Relation.create(
                database=target.project, schema=target.schema ~ '_' ~ dataset
            )) -%}
        {%- endfor -%}
        {%- for dataset, tables in {'logs': log_tables(), 'raw': input_tables()}.items() -%}
            {%- for name, table in tables.items() -%}
                {%- do run_query(log_table_ddl(dataset, name, table)) -%}
                {%- set missing = missing_log_columns(dataset, name, table) -%}
                {%- if missing -%}
                    {%- do run_query(add_log_columns(dataset, name, missing)) -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro log_table_ddl(dataset, name, table) -%}
create table if not exists `{{ target.project }}`.`{{ target.schema }}_{{ dataset }}`.`{{ name }}` (
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

{# The columns that an existing log table lacks, as {name: type}; asked without a query. #}
{% macro missing_log_columns(dataset, name, table) -%}
    {%- set there = adapter.get_columns_in_relation(api.Relation.create(
        database=target.project, schema=target.schema ~ '_' ~ dataset, identifier=name
    )) | map(attribute='name') | list -%}
    {%- set missing = {} -%}
    {%- for column, type in table.columns.items() if column not in there -%}
        {%- do missing.update({column: type}) -%}
    {%- endfor -%}
    {{ return(missing) }}
{%- endmacro %}

{% macro add_log_columns(dataset, name, columns) -%}
alter table `{{ target.project }}`.`{{ target.schema }}_{{ dataset }}`.`{{ name }}`
    {%- for column, type in columns.items() %}
    add column if not exists {{ column }} {{ type }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
