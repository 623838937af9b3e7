{# Create what Python and people write into, where it is missing; what exists is left alone, and
   asked for without a query. Where sources are loaded apart (SHELFCAST_LOADING), whoever runs may
   not write their dataset. #}
{% macro create_log_tables() -%}
    {%- if execute and flags.WHICH in ['build', 'run', 'seed', 'test', 'run-operation'] -%}
        {%- do create_tables('logs', log_tables()) -%}
        {%- if env_var('SHELFCAST_LOADING', 'with_run') != 'apart' -%}
            {%- do create_input_tables() -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# The tables that people fill, for whoever may write the dataset of the sources. #}
{% macro create_input_tables() -%}
    {%- do create_tables('raw', input_tables()) -%}
{%- endmacro %}

{# Create a dataset and the tables in it, where they are missing. A table that an earlier version
   made gets the columns that it lacks; nothing else of it changes. #}
{% macro create_tables(dataset, tables) -%}
    {%- set schema = target.schema ~ '_' ~ dataset -%}
    {%- if schema not in adapter.list_schemas(target.project) -%}
        {%- do adapter.create_schema(
            api.Relation.create(database=target.project, schema=schema)
        ) -%}
    {%- endif -%}
    {%- for name, table in tables.items() -%}
        {%- set there = columns_there(api.Relation.create(
            database=target.project, schema=schema, identifier=name
        )) -%}
        {%- set missing = {} -%}
        {%- for column, type in table.columns.items() if column not in there -%}
            {%- do missing.update({column: type}) -%}
        {%- endfor -%}
        {%- if not there -%}
            {%- do run_query(log_table_ddl(dataset, name, table)) -%}
        {%- elif missing -%}
            {%- do run_query(add_log_columns(dataset, name, missing)) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{# The names of a table's columns; none where there is no table. #}
{% macro columns_there(relation) -%}
    {{ return(adapter.get_columns_in_relation(relation) | map(attribute='name') | list) }}
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

{% macro add_log_columns(dataset, name, columns) -%}
alter table `{{ target.project }}`.`{{ target.schema }}_{{ dataset }}`.`{{ name }}`
    {%- for column, type in columns.items() %}
    add column if not exists {{ column }} {{ type }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
