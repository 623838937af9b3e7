{# Fails with each version that still holds when the next one of the same key begins, or that ends
   before it begins. #}
{% test versions_do_not_overlap(model, key) %}
with ordered as (
    select
        *,
        lead(known_at) over (partition by {{ key | join(', ') }} order by known_at) as next_known_at
    from {{ model }}
)

select *
from ordered
where superseded_at <= known_at or superseded_at > next_known_at
{% endtest %}
