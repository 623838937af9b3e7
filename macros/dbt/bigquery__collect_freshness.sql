{# How fresh a source is: the newest instant at which a row became known. A table of nothing but
   history (`shelfcast load --history`, whose rows say no instant) is as fresh as it can be; dbt's
   own macro fails on it. In place of dbt's. #}
{% macro bigquery__collect_freshness(source, loaded_at_field, filter) %}
    {%- call statement('collect_freshness', fetch_result=True, auto_begin=False) -%}
    select
        coalesce(max({{ loaded_at_field }}), {{ current_timestamp() }}) as max_loaded_at,
        {{ current_timestamp() }} as snapshotted_at
    from {{ source }}
    {%- if filter %}
    where {{ filter }}
    {%- endif %}
    {%- endcall -%}
    {{ return(load_result('collect_freshness')) }}
{% endmacro %}
