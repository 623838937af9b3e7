{# The same for the relations named; on the emulator, of everything in their datasets. #}
{% macro bigquery__get_catalog_relations(information_schema, relations) -%}
    {%- if target.name != 'local' or not relations -%}
        {{ return(dbt_bigquery.bigquery__get_catalog_relations(information_schema, relations)) }}
    {%- endif -%}
    {{ return(bigquery__get_catalog(information_schema, relations | map(attribute='schema'))) }}
{%- endmacro %}
