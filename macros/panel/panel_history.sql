{# Grain: series_id, origin_date, ds. #}
{% macro panel_history(use_case) -%}
with origins as (
    select * from {{ ref('origins') }}
    where use_case = '{{ use_case }}'
),

actuals as (
    select * from {{ ref(use_case ~ '_actuals') }}
    where {{ origin_bounds(use_case, 'ds', before=none, after=0) }}
),

known as (
    select
        origins.origin_date,
        origins.as_of_at,
        origins.run_id,
        actuals.* except (known_at, superseded_at)
    from actuals
    inner join origins
        on
            {{ period_end(use_case, 'actuals.ds') }} <= origins.origin_date
            and {{ known_as_of('actuals', 'origins.as_of_at') }}
),

{# A gap before the first row that was known then is not history yet. #}
first_observed as (
    select
        series_id,
        origin_date,
        min(ds) as first_ds
    from known
    where not is_gap_filled
    group by series_id, origin_date
)

select
    known.series_id,
    known.origin_date,
    known.as_of_at,
    known.run_id,
    known.ds,
    known.y,
    known.price,
    known.is_censored,
    known.is_gap_filled,
    known.y is not null and not known.is_censored as is_observed
    {%- for regressor in regressors_in_sales(use_case) %},
    known.{{ regressor }}
    {%- endfor %}
from known
inner join first_observed
    on
        known.series_id = first_observed.series_id
        and known.origin_date = first_observed.origin_date
        and first_observed.first_ds <= known.ds
{%- endmacro %}
