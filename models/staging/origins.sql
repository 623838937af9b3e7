{# The origins that the active run of each use case looks back from, with the second clock,
   as_of_at. Where no run was ever started (an analyst's own `dbt build`), the last period end
   before now.
   One row per use_case, origin_date. #}
with active as (
    {{ active_origins() }}
),

defaults as (
    {%- for use_case in use_cases() %}
    select
        '{{ use_case }}' as use_case,
        {{ default_origin_date(use_case, run_now()) }} as origin_date
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    use_case,
    run_id,
    run_kind,
    origin_date,
    as_of_at
from active

union all

select
    use_case,
    'adhoc' as run_id,
    'adhoc' as run_kind,
    origin_date,
    {{ run_now() }} as as_of_at
from defaults
where use_case not in (select active.use_case from active)
