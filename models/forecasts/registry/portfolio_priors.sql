{{
    config(
        materialized='incremental',
        incremental_strategy='insert_overwrite',
        partition_by={'field': 'origin_date', 'data_type': 'date'},
        cluster_by=['use_case', 'recipe'],
        on_schema_change='fail'
    )
}}
{# What the series of a portfolio say together of each coefficient: the normal prior with which
   each of them is fitted again. A run whose coefficients are not all there makes none; rows of
   earlier runs stay as they were made, each under its run_id.
   One row per use_case, model_name, run_id, origin_date, recipe, coefficient. #}
with origins as (
    select * from {{ ref('origins') }}
),

settings as (
    {{ settings_rows() }}
),

finished_pools as (
    select
        run_id,
        use_case,
        any_value(run_kind) as run_kind,
        max(logged_at) as pooled_at
    from {{ source('logs', 'run_log') }}
    where step = 'coefficients'
    group by run_id, use_case
    having
        count(distinct if(event = 'ended' and status = 'done', shard, null)) >= max(n_shards)
),

{# A standard error that is no number is not known; an estimate that is none says nothing. #}
estimates as (
    select
        use_case,
        model_name,
        run_id,
        origin_date,
        as_of_at,
        recipe,
        series_id,
        coefficient,
        estimate,
        if(is_nan(std_error) or is_inf(std_error), null, std_error) as std_error
    from {{ source('logs', 'coefficient_log') }}
    where
        not is_nan(estimate)
        and not is_inf(estimate)
        {%- if is_incremental() %}
        and run_id in (select origins.run_id from origins)
        and origin_date in (select origins.origin_date from origins)
        and {{ origin_bounds(none, 'origin_date') }}
        {%- endif %}
    qualify row_number() over (
        partition by use_case, model_name, run_id, origin_date, recipe, coefficient, series_id
        order by logged_at desc, shard desc
    ) = 1
),

sampling_variances as (
    select
        use_case,
        model_name,
        run_id,
        origin_date,
        recipe,
        coefficient,
        array_agg(pow(std_error, 2) order by pow(std_error, 2)) as variances
    from estimates
    where std_error is not null
    group by use_case, model_name, run_id, origin_date, recipe, coefficient
),

pooled as (
    select
        use_case,
        model_name,
        run_id,
        origin_date,
        recipe,
        coefficient,
        any_value(as_of_at) as as_of_at,
        array_agg(estimate order by estimate) as estimates,
        count(*) as n_series
    from estimates
    group by use_case, model_name, run_id, origin_date, recipe, coefficient
),

{# Without any standard error nothing is taken off what the estimates vary. #}
with_variances as (
    select
        pooled.*,
        finished_pools.run_kind,
        finished_pools.pooled_at,
        if(
            sampling_variances.variances is null,
            0,
            {{ median_of_sorted('sampling_variances.variances') }}
        ) as sampling_variance
    from pooled
    inner join finished_pools
        on
            pooled.use_case = finished_pools.use_case
            and pooled.run_id = finished_pools.run_id
    inner join settings
        on
            pooled.use_case = settings.use_case
            and pooled.n_series >= settings.min_pooled_series
    left join sampling_variances
        on
            pooled.use_case = sampling_variances.use_case
            and pooled.model_name = sampling_variances.model_name
            and pooled.run_id = sampling_variances.run_id
            and pooled.origin_date = sampling_variances.origin_date
            and pooled.recipe = sampling_variances.recipe
            and pooled.coefficient = sampling_variances.coefficient
)

select
    use_case,
    model_name,
    run_id,
    run_kind,
    origin_date,
    as_of_at,
    pooled_at,
    recipe,
    coefficient,
    {{ median_of_sorted('estimates') }} as centre,
    {{ pooled_spread('estimates', 'sampling_variance') }} as spread,
    n_series
from with_variances
{% if is_incremental() %}
{# A partition is replaced whole, so it takes along what other runs put there. #}
union all

select
    use_case,
    model_name,
    run_id,
    run_kind,
    origin_date,
    as_of_at,
    pooled_at,
    recipe,
    coefficient,
    centre,
    spread,
    n_series
from {{ this }}
where
    run_id not in (select origins.run_id from origins)
    and origin_date in (select origins.origin_date from origins)
    and {{ origin_bounds(none, 'origin_date') }}
{% endif %}
