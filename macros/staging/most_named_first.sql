{# Orders rows that speak of one series: the one that names more parts first; of two that name as
   many, the one that names the earlier part of the key. #}
{% macro most_named_first(parts, relation) -%}
    {%- set stars = [] -%}
    {%- for part in parts -%}
        {%- do stars.append('if(' ~ relation ~ '.' ~ part ~ " = '*', 1, 0)") -%}
    {%- endfor -%}
    {{ ([stars | join(' + ')] + stars) | join(', ') if stars else '1' }}
{%- endmacro %}
