{# True where a part of the key is null; an empty key has none. BOOL. #}
{% macro is_null_key(parts) -%}
    {{ (parts | join(' is null or ') ~ ' is null') if parts else 'false' }}
{%- endmacro %}
