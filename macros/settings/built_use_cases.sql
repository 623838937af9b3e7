{# The use cases whose model `prefix<use_case>suffix` exists: a statement over all use cases leaves
   out one that was configured and never built. Before anything is built, all of them, unless
   `or_all` is false. `with_source` asks only for those whose settings name the source. #}
{% macro built_use_cases(prefix, suffix, or_all=true, with_source=none) -%}
    {%- set built, asked = [], [] -%}
    {%- for use_case in use_cases()
        if with_source is none or with_source in use_case_settings(use_case).sources -%}
        {%- do asked.append(use_case) -%}
        {%- set relation = ref(prefix ~ use_case ~ suffix) -%}
        {%- if not execute or load_relation(relation) is not none -%}
            {%- do built.append(use_case) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(built or (asked if or_all else [])) }}
{%- endmacro %}
