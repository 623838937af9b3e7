{# Which segments each series belongs to: the total, each value of the key's columns, and its demand
   class as its newest origin knew it. One row per use_case, series_id, segment_type. #}
with profiles as (
    select
        use_case,
        series_id,
        demand_class
    from {{ ref('series_profiles') }}
    qualify row_number() over (
        partition by use_case, series_id
        order by origin_date desc, as_of_at desc, run_id desc
    ) = 1
),

{# A series whose sales have vanished is still part of the whole, and of its segments. #}
everything as (
    {%- for use_case in built_use_cases('', '_keys') %}
    select
        '{{ use_case }}' as use_case,
        series_id
    from {{ ref(use_case ~ '_keys') }}
    union distinct
    {%- endfor %}
    select
        use_case,
        series_id
    from profiles
),

{# An empty key adds no segment. #}
keyed as (
    {%- for use_case in use_cases() %}
    {%- set parts = use_case_settings(use_case).key.keys() | list %}
    select
        use_case,
        series_id,
        array<struct<segment_type string, segment string>>[
            {%- for part in parts %}
            struct(
                '{{ part }}' as segment_type,
                cast({{ series_part(use_case, part, 'series_id') }} as string) as segment
            ){{ ',' if not loop.last }}
            {%- endfor %}
        ] as segments
    from everything
    where use_case = '{{ use_case }}'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    keyed.use_case,
    keyed.series_id,
    one.segment_type,
    coalesce(one.segment, '') as segment
from keyed
cross join unnest(keyed.segments) as one

union all

select
    use_case,
    series_id,
    'total' as segment_type,
    'all' as segment
from everything

union all

select
    use_case,
    series_id,
    'demand_class' as segment_type,
    demand_class as segment
from profiles
