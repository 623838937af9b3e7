{# The key's parts joined with |, each with \ and | escaped by a \, so that it reads as itself
   and splits back (python_jobs/infra/series.py is the other half). An empty key names the one
   series `total`. STRING; null where a part is null. #}
{% macro series_id(parts) -%}
    {%- if not parts -%}{{ return("'total'") }}{%- endif -%}
    {%- set escaped = [] -%}
    {%- for part in parts -%}
        {%- do escaped.append(
            "replace(replace(cast(" ~ part ~ " as string), '\\\\', '\\\\\\\\'), '|', '\\\\|')"
        ) -%}
    {%- endfor -%}
    concat({{ escaped | join(", '|', ") }})
{%- endmacro %}
