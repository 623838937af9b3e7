{# Fails with each range that reaches past the start of the next one of its partition, or that is
   empty or ends before it begins. A gap between two ranges is allowed. As in dbt_utils. #}
{% test mutually_exclusive_ranges(model, lower_bound_column, upper_bound_column, partition_by) %}
with ordered as (
    select
        *,
        lead({{ lower_bound_column }}) over (
            partition by {{ partition_by }}
            order by {{ lower_bound_column }}, {{ upper_bound_column }}
        ) as next_lower_bound
    from {{ model }}
)

select *
from ordered
where
    {{ upper_bound_column }} <= {{ lower_bound_column }}
    or {{ upper_bound_column }} > next_lower_bound
{% endtest %}
