{# Use cases whose source (sales or promotions) holds another number of rows than were accepted or
   rejected with a reason. Grain: use_case. #}
{% macro unaccounted_rows(kind) -%}
with counts as (
    {%- for use_case in built_use_cases('stg_', '_' ~ kind) %}
    select
        '{{ use_case }}' as use_case,
        {%- if kind in use_case_settings(use_case).sources %}
        (select count(*) from {{ source(use_case ~ '_' ~ kind, 'rows') }}) as n_came_in,
        {%- else %}
        0 as n_came_in,
        {%- endif %}
        (
            select countif(staged.rejected_because is null)
            from {{ ref('stg_' ~ use_case ~ '_' ~ kind) }} as staged
        ) as n_accepted,
        (
            select countif(rejected.use_case = '{{ use_case }}')
            from {{ ref('rejected_' ~ kind) }} as rejected
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
{%- endmacro %}
