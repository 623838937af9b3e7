{# What the model under a data test declares in its YAML:
   {grain: columns of `config: meta: grain:`, not_null: columns with a not_null constraint}.
   A model that lacks either is an error: a test of nothing would pass. #}
{% macro declared_contract() -%}
    {%- if not execute -%}
        {{ return({'grain': ['null'], 'not_null': ['null']}) }}
    {%- endif -%}
    {%- set tested = graph.nodes[model.attached_node] -%}
    {%- set grain = tested.config.get('meta', {}).get('grain') or [] -%}
    {%- set not_null = [] -%}
    {%- for column in tested.columns.values() -%}
        {%- if column.constraints | selectattr('type', 'equalto', 'not_null') | list -%}
            {%- do not_null.append(column.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not grain -%}
        {{ exceptions.raise_compiler_error(
            tested.name ~ ' has no grain. Name its columns in ' ~ tested.original_file_path.rsplit('.', 1)[0]
            ~ '.yml: config: {meta: {grain: [...]}}.'
        ) }}
    {%- endif -%}
    {%- if not not_null -%}
        {{ exceptions.raise_compiler_error(
            tested.name ~ ' declares no column not null. Give those that never are `constraints: [{type: not_null}]`.'
        ) }}
    {%- endif -%}
    {{ return({'grain': grain, 'not_null': not_null}) }}
{%- endmacro %}
