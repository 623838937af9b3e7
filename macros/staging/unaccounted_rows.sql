{# Use cases one of whose sources holds another number of rows than were accepted or rejected with a
   reason, in the relation `rejected`. Grain: use_case, source_name. #}
{% macro unaccounted_rows(kinds, rejected) -%}
{%- set counts = [] -%}
{%- set rejected_relation = ref(rejected) -%}
{%- for kind in kinds -%}
{%- for use_case in built_use_cases('stg_', '_' ~ kind, or_all=false, with_source=kind) -%}
{%- set counted %}
    select
        '{{ use_case }}' as use_case,
        '{{ kind }}' as source_name,
        (select count(*) from {{ source(use_case ~ '_' ~ kind, 'rows') }}) as n_came_in,
        (
            select countif(staged.rejected_because is null)
            from {{ ref('stg_' ~ use_case ~ '_' ~ kind) }} as staged
        ) as n_accepted,
        (
            select countif(
                rejected.use_case = '{{ use_case }}'
                {%- if rejected == 'rejected_rows' %} and rejected.source_name = '{{ kind }}'{% endif %}
            )
            from {{ rejected_relation }} as rejected
        ) as n_rejected
{%- endset -%}
{%- do counts.append(counted) -%}
{%- endfor -%}
{%- endfor -%}
with counts as (
    {%- if counts %}
    {{- counts | join('\n    union all') }}
    {%- else %}
    select
        '' as use_case,
        '' as source_name,
        0 as n_came_in,
        0 as n_accepted,
        0 as n_rejected
    {%- endif %}
)

select
    use_case,
    source_name,
    n_came_in,
    n_accepted,
    n_rejected
from counts
where n_came_in != n_accepted + n_rejected
{%- endmacro %}
