{# Promotion plan rows of a use case, renamed, cast and judged. An upload is all rows with one
   known_at; each row says which window its upload covers (covers_from..covers_to, by default
   the span of the upload's own rows). A key part '*' means all. Without a promotions source
   the relation is empty. Grain: one row of the source. #}
{% macro stage_promotions(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set plan = settings.sources.get('promotions') -%}
{%- set regressors = regressors_from(use_case, 'plan') -%}
{%- set columns = (plan or {}).get('columns', {}) -%}
{%- set parts = settings.key.keys() | list -%}
with source_rows as (
    {%- if plan %}
    select * from {{ source(use_case ~ '_promotions', 'rows') }}
    {%- else %}
    select 1 as nothing
    from unnest(generate_array(1, 0))
    {%- endif %}
),

renamed as (
    select
        {%- for part in parts %}
        safe_cast({{ columns.get(part, 'null') }} as string) as {{ part }},
        {%- endfor %}
        safe_cast({{ columns.get('start_date', 'null') }} as date) as start_date,
        safe_cast({{ columns.get('end_date', 'null') }} as date) as end_date,
        safe_cast({{ columns.get('price', 'null') }} as float64) as price,
        safe_cast({{ columns.get('discount', 'null') }} as float64) as discount,
        {%- for regressor in regressors %}
        safe_cast({{ columns.get(regressor, 'null') }} as float64) as {{ regressor }},
        {%- endfor %}
        safe_cast({{ columns.get('covers_from', 'null') }} as date) as covers_from,
        safe_cast({{ columns.get('covers_to', 'null') }} as date) as covers_to,
        {{ known_at_of(plan) }} as known_at,
        to_json_string(source_rows) as source_row
    from source_rows
),

judged as (
    select
        *,
        case
            when {{ parts | join(' is null or ') }} is null then 'null_key'
            when start_date is null or end_date is null then 'bad_date'
            when end_date < start_date then 'ends_before_start'
        end as rejected_because
    from renamed
)

select
    {%- for part in parts %}
    {{ part }},
    {%- endfor %}
    if(
        {{ parts | join(" = '*' or ") }} = '*',
        null,
        {{ series_id(parts) }}
    ) as series_id,
    start_date,
    end_date,
    price,
    discount,
    {%- for regressor in regressors %}
    {{ regressor }},
    {%- endfor %}
    coalesce(
        covers_from,
        min(if(rejected_because is null, start_date, null)) over (partition by known_at)
    ) as covers_from,
    coalesce(
        covers_to,
        max(if(rejected_because is null, end_date, null)) over (partition by known_at)
    ) as covers_to,
    known_at,
    source_row,
    rejected_because
from judged
{%- endmacro %}
