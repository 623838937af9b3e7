{# Grain: one row of the source. Longer than most: one reason after the other. #}
{% macro stage_promotions(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set plan = settings.sources.get('promotions') -%}
{%- set regressors = regressors_from(use_case, 'plan') -%}
{%- set columns = (plan or {}).get('columns', {}) -%}
{%- set parts = settings.key.keys() | list -%}
{%- set dates = ['cast(start_date as string)', 'cast(end_date as string)'] -%}
with source_rows as (
    {%- if plan %}
    select * from {{ source(use_case ~ '_promotions', 'rows') }}
    {%- else %}
    select 1 as nothing
    from unnest(generate_array(1, 0))
    {%- endif %}
),

keys as (
    select * from {{ ref(use_case ~ '_keys') }}
),

renamed as (
    select
        {%- for part in parts %}
        safe_cast({{ columns.get(part, 'null') }} as string) as {{ part }},
        {%- endfor %}
        safe_cast({{ columns.get('start_date', 'null') }} as date) as start_date,
        safe_cast({{ columns.get('end_date', 'null') }} as date) as end_date,
        safe_cast({{ columns.get('kind', 'null') }} as string) as kind,
        safe_cast({{ columns.get('price', 'null') }} as float64) as price,
        safe_cast({{ columns.get('discount', 'null') }} as float64) as discount,
        {{ is_unreadable(columns.get('price', 'null'), 'float64') }} as _is_bad_price,
        {{ is_unreadable(columns.get('discount', 'null'), 'float64') }} as _is_bad_discount,
        {%- for regressor in regressors %}
        safe_cast({{ columns.get(regressor, 'null') }} as float64) as {{ regressor }},
        {%- endfor %}
        {%- for part in parts %}
        coalesce(safe_cast({{ columns.get('covers_' ~ part, 'null') }} as string), '*')
            as covers_{{ part }},
        {%- endfor %}
        safe_cast({{ columns.get('covers_from', 'null') }} as date) as covers_from,
        safe_cast({{ columns.get('covers_to', 'null') }} as date) as covers_to,
        {{ known_at_of(plan) }} as known_at,
        to_json_string(source_rows) as source_row
    from source_rows
),

{# What is wrong with a row by itself. #}
judged as (
    select
        *,
        coalesce({{ (parts + dates) | join(', ') }})
        is null and covers_from is not null and covers_to is not null as is_coverage_alone,
        case
            when {{ is_null_key(parts) }} then 'null_key'
            when start_date is null or end_date is null then 'bad_date'
            when end_date < start_date then 'ends_before_start'
            when coalesce(json_value(source_row, '$.unparsed'), '') != '' then 'unparsed'
            when _is_bad_price or price < 0 then 'bad_price'
            when _is_bad_discount or discount < 0 or discount > 1 then 'bad_discount'
            {%- for regressor in regressors if regressor in columns %}
            when {{ regressor }} is null then 'no_{{ regressor }}'
            {%- endfor %}
        end as own_fault
    from renamed
),

covering as (
    select
        * except (covers_from, covers_to),
        coalesce(
            covers_from, min(if(own_fault is null, start_date, null)) over (partition by known_at)
        ) as covers_from,
        coalesce(
            covers_to, max(if(own_fault is null, end_date, null)) over (partition by known_at)
        ) as covers_to
    from judged
),

{# What is wrong with it beside the other rows of its upload: of those that are sound by themselves,
   a later one that says the same, or speaks for the same days of the same series and kind. Copies
   are told apart first: of two equal rows, one stays. #}
counted as (
    select
        *,
        row_number() over (
            partition by
                {{ (['known_at'] + parts) | join(', ') }}, kind, own_fault is null, start_date, end_date,
                cast(price as string), cast(discount as string)
            order by source_row
        ) as copy_number
    from covering
),

ordered as (
    select
        *,
        max(end_date) over (
            partition by
                {{ (['known_at'] + parts) | join(', ') }}, kind, own_fault is null, copy_number = 1
            order by start_date, end_date, source_row
            rows between unbounded preceding and 1 preceding
        ) as earlier_end_date
    from counted
)

select
    {%- for part in parts %}
    {{ part }},
    {%- endfor %}
    {%- if parts %}
    if(
        {{ parts | join(" = '*' or ") }} = '*',
        null,
        {{ series_id(parts) }}
    ) as series_id,
    {%- else %}
    {{ series_id(parts) }} as series_id,
    {%- endif %}
    start_date,
    end_date,
    kind,
    price,
    discount,
    {%- for regressor in regressors %}
    {{ regressor }},
    {%- endfor %}
    {%- for part in parts %}
    covers_{{ part }},
    {%- endfor %}
    covers_from,
    covers_to,
    known_at,
    source_row,
    case
        when is_coverage_alone then null
        when own_fault is not null then own_fault
        {%- for part in parts %}
        when {{ part }} != '*' and {{ part }} not in (
            select cast(keys.{{ part }} as string) from keys
        ) then 'unknown_{{ part }}'
        {%- endfor %}
        when
            {%- for part in parts %} {{ part }} != '*' and{% endfor %} {{ series_id(parts) }} not in (
            select keys.series_id from keys
        ) then 'unknown_series'
        when covers_to < covers_from then 'covers_nothing'
        when end_date < covers_from or start_date > covers_to then 'outside_its_window'
        when copy_number > 1 then 'duplicate'
        when earlier_end_date >= start_date then 'overlaps'
    end as rejected_because
from ordered
{%- endmacro %}
