{# The order in which runs of one series and origin count as issued: an issued run before a replay
   that was published as issued, then the newest. #}
{% macro newest_issued_first(run_kind, newest_at, run_id) -%}
    if({{ run_kind }} = 'issued', 1, 0) desc,
    {{ newest_at }} desc,
    {{ run_id }} desc
{%- endmacro %}
