{# True where a version was the one known at `as_of_at`: known_at <= as_of_at < superseded_at. #}
{% macro known_as_of(alias, as_of_at) -%}
    {{ alias }}.known_at <= {{ as_of_at }} and {{ as_of_at }} < {{ alias }}.superseded_at
{%- endmacro %}
