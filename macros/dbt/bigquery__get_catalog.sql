{# What `dbt docs generate` knows of the tables of some datasets. dbt-bigquery's own statement, but
   for the emulator, which has neither __TABLES__ nor MATERIALIZED_VIEWS: there columns and types
   come from INFORMATION_SCHEMA alone, without sizes. #}
{% macro bigquery__get_catalog(information_schema, schemas) -%}
    {%- if target.name != 'local' or not schemas -%}
        {{ return(dbt_bigquery.bigquery__get_catalog(information_schema, schemas)) }}
    {%- endif -%}
    {%- set query -%}
        {%- for schema in schemas | unique %}
        {%- set dataset = '`' ~ information_schema.database ~ '`.`' ~ schema ~ '`' %}
        select
            columns.table_catalog as table_database,
            columns.table_schema,
            columns.table_name,
            if(tables.table_type = 'VIEW', 'view', 'table') as table_type,
            cast(null as string) as table_comment,
            cast(null as string) as table_owner,
            columns.column_name,
            columns.ordinal_position as column_index,
            columns.data_type as column_type,
            '' as column_comment
        from {{ dataset }}.INFORMATION_SCHEMA.COLUMNS as columns
        inner join {{ dataset }}.INFORMATION_SCHEMA.TABLES as tables
            on columns.table_name = tables.table_name
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    {%- endset -%}
    {{ return(run_query(query)) }}
{%- endmacro %}
