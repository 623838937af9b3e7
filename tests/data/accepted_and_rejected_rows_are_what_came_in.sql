{# A row of the sales table that is neither accepted nor rejected with a reason has vanished. #}
with counts as (
    {%- for use_case in built_use_cases('stg_', '_sales') %}
    select
        '{{ use_case }}' as use_case,
        (select count(*) from {{ source(use_case ~ '_sales', 'rows') }}) as n_came_in,
        (
            select countif(staged.rejected_because is null)
            from {{ ref('stg_' ~ use_case ~ '_sales') }} as staged
        ) as n_accepted,
        (
            select countif(rejected.use_case = '{{ use_case }}')
            from {{ ref('rejected_sales') }} as rejected
        ) as n_rejected
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    use_case,
    n_came_in,
    n_accepted,
    n_rejected
from counts
where n_came_in != n_accepted + n_rejected
