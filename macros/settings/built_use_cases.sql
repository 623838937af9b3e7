{# The use cases whose model `prefix<use_case>suffix` exists: a statement over all use cases leaves
   out one that was configured and never built. Before anything is built, all of them, unless
   `or_all` is false. #}
{% macro built_use_cases(prefix, suffix, or_all=true) -%}
    {%- set built = [] -%}
    {%- for use_case in use_cases() -%}
        {%- set relation = ref(prefix ~ use_case ~ suffix) -%}
        {%- if not execute or load_relation(relation) is not none -%}
            {%- do built.append(use_case) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(built or (use_cases() if or_all else [])) }}
{%- endmacro %}
