{# The instant at which a source's row became known; the beginning of time where the source, or
   this row, does not say. TIMESTAMP. #}
{% macro known_at_of(source) -%}
    coalesce(
        safe_cast({{ (source or {}).get('known_at') or 'null' }} as timestamp),
        {{ beginning_of_time() }}
    )
{%- endmacro %}
