{# Grain: one row of the source. #}
{% macro stage_scenarios(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set parts = settings.key.keys() | list -%}
{%- set values = supposed_values(use_case) -%}
{%- set table = scenario_columns(use_case) -%}
{%- set there = table -%}
{%- if execute and model.resource_type != 'unit_test' -%}
    {%- set there = columns_there(source(use_case ~ '_scenarios', 'rows')) -%}
{%- endif -%}
with
{%- if not there %}
no_rows as (
    select
        {%- for column, type in table.items() %}
        cast(null as {{ type }}) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from unnest([1])
    where false
),
{%- endif %}

source_rows as (
    select * from {{ 'no_rows' if not there else source(use_case ~ '_scenarios', 'rows') }}
    qualify
        coalesce(loaded_at, {{ beginning_of_time() }})
        = max(coalesce(loaded_at, {{ beginning_of_time() }})) over (partition by scenario)
),

keys as (
    select * from {{ ref(use_case ~ '_keys') }}
),

renamed as (
    select
        scenario,
        {%- for part in parts %}
        {{ part }},
        {%- endfor %}
        {{ period_start(use_case, 'date') }} as target_date,
        {%- for value in values %}
        {{ value if value in there or not there else 'cast(null as float64) as ' ~ value }},
        {%- endfor %}
        0{% for part in parts %} + if({{ part }} = '*', 0, 1){% endfor %} as n_named,
        date,
        unparsed,
        to_json_string(source_rows) as source_row
    from source_rows
)

select
    scenario,
    {%- for part in parts %}
    {{ part }},
    {%- endfor %}
    target_date,
    {%- for value in values %}
    {{ value }},
    {%- endfor %}
    n_named,
    source_row,
    case
        when scenario is null or scenario = '' then 'no_scenario'
        when scenario = '{{ weather_as_it_came() }}' then 'reserved_name'
        when {{ is_null_key(parts) }} then 'null_key'
        when date is null then 'bad_date'
        when unparsed is not null then 'unparsed'
        {%- for value in values %}
        when is_nan({{ value }}) or is_inf({{ value }})
        {{- ' or price <= 0' if value == 'price' }} then 'bad_{{ value }}'
        {%- endfor %}
        {%- if values %}
        when coalesce({{ values | join(', ') }}) is null then 'supposes_nothing'
        {%- endif %}
        {%- for part in parts %}
        when {{ part }} != '*' and {{ part }} not in (
            select cast(keys.{{ part }} as string) from keys
        ) then 'unknown_{{ part }}'
        {%- endfor %}
        when row_number() over (
            partition by {{ (['scenario'] + parts) | join(', ') }}, target_date order by source_row
        ) > 1 then 'duplicate'
    end as rejected_because
from renamed
{%- endmacro %}
