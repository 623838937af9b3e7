{# CTEs after one named `judged` (known_at, source_row, own_fault): `versions` has each row with
   rejected_because (its own fault, or that an accepted row has its key and known_at already) and
   superseded_at, the instant of the next accepted row of its key. Of rows with one key and
   known_at the first by its text is accepted. #}
{% macro accepted_once(key) -%}
counted as (
    select
        *,
        if(
            own_fault is null
            and row_number() over (
                partition by {{ (key + ['known_at']) | join(', ') }}, own_fault is null
                order by source_row
            ) > 1,
            'duplicate',
            own_fault
        ) as rejected_because
    from judged
),

versions as (
    select
        *,
        if(
            rejected_because is null,
            lead(known_at, 1, {{ end_of_time() }}) over (
                partition by {{ (key + ['rejected_because is null']) | join(', ') }}
                order by known_at
            ),
            null
        ) as superseded_at
    from counted
)
{%- endmacro %}
