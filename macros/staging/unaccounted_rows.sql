{# Use cases whose source (sales or promotions) holds another number of rows than were accepted or
   rejected with a reason. Grain: use_case. #}
{% macro unaccounted_rows(kind) -%}
with counts as (
    {%- for use_case in built_use_cases('stg_', '_' ~ kind, or_all=false, with_source=kind) %}
    select
        '{{ use_case }}' as use_case,
        (select count(*) from {{ source(use_case ~ '_' ~ kind, 'rows') }}) as n_came_in,
        (
            select countif(staged.rejected_because is null)
            from {{ ref('stg_' ~ use_case ~ '_' ~ kind) }} as staged
        ) as n_accepted,
        (
            select countif(rejected.use_case = '{{ use_case }}')
            from {{ ref('rejected_' ~ kind) }} as rejected
        ) as n_rejected
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        '' as use_case,
        0 as n_came_in,
        0 as n_accepted,
        0 as n_rejected
    {%- endfor %}
)

select
    use_case,
    n_came_in,
    n_accepted,
    n_rejected
from counts
where n_came_in != n_accepted + n_rejected
{%- endmacro %}
