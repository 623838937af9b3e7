{# Grain: one row of the source. #}
{% macro stage_sales(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set sales = settings.sources.sales -%}
{%- set columns = sales.columns -%}
{%- set observed_regressors = regressors_in_sales(use_case) -%}
with source_rows as (
    select * from {{ source(use_case ~ '_sales', 'rows') }}
),

renamed as (
    select
        {%- for part, type in settings.key.items() %}
        safe_cast({{ columns[part] }} as {{ type }}) as {{ part }},
        {%- endfor %}
        date_add(
            safe_cast({{ columns.date }} as date), interval {{ sales.label_offset_days }} day
        ) as label_date,
        safe_cast({{ columns.quantity }} as float64) as y,
        safe_cast({{ columns.get('price', 'null') }} as float64) as price,
        coalesce(
            safe_cast({{ columns.get('is_sold_out', 'false') }} as bool), false
        ) as is_censored,
        {%- for regressor in observed_regressors %}
        safe_cast({{ columns[regressor] }} as float64) as {{ regressor }},
        {%- endfor %}
        {{ known_at_of(sales) }} as known_at,
        to_json_string(source_rows) as source_row
    from source_rows
),

{# A copy is a row whose mapped columns all repeat, version included; what else the source holds
   does not matter. #}
counted as (
    select
        *,
        row_number() over (
            partition by to_json_string(struct(
                {%- for part in settings.key %}
                {{ part }} as {{ part }},
                {%- endfor %}
                label_date as label_date,
                y as y,
                price as price,
                is_censored as is_censored,
                {%- for regressor in observed_regressors %}
                {{ regressor }} as {{ regressor }},
                {%- endfor %}
                known_at as known_at
            ))
            order by source_row
        ) as _copy_number
    from renamed
)

select
    {%- for part in settings.key %}
    {{ part }},
    {%- endfor %}
    {{ series_id(settings.key.keys() | list) }} as series_id,
    {%- if sales.date_means == 'period_end' and (sales.grain or settings.grain) == 'week' %}
    {{ period_start(use_case, 'date_sub(label_date, interval 6 day)') }} as ds,
    {%- else %}
    {{ period_start(use_case, 'label_date') }} as ds,
    {%- endif %}
    label_date,
    y,
    price,
    is_censored,
    {%- for regressor in observed_regressors %}
    {{ regressor }},
    {%- endfor %}
    known_at,
    source_row,
    case
        when {{ is_null_key(settings.key) }} then 'null_key'
        when label_date is null then 'bad_date'
        when label_date > date({{ run_now() }}, '{{ settings.time_zone }}') then 'future_date'
        when y is null or is_nan(y) or is_inf(y) then 'bad_quantity'
        {%- if sales.negative_quantity == 'reject' %}
        when y < 0 then 'negative_quantity'
        {%- endif %}
        {%- if sales.duplicates == 'reject' %}
        when _copy_number > 1 then 'duplicate'
        {%- endif %}
    end as rejected_because
from counted
{%- endmacro %}
