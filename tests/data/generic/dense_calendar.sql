{# Fails with each group whose periods have a hole between the first and the last. #}
{% test dense_calendar(model, use_case, group_by_columns) %}
select
    {{ group_by_columns | join(', ') }},
    count(distinct ds) as n_periods
from {{ model }}
group by {{ group_by_columns | join(', ') }}
having count(distinct ds) != {{ periods_between(use_case, 'min(ds)', 'max(ds)') }} + 1
{% endtest %}
