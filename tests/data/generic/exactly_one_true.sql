{# Fails with each group in which the boolean `column_name` is not true on exactly one row. #}
{% test exactly_one_true(model, column_name, group_by_columns) %}
select
    {{ group_by_columns | join(', ') }},
    countif({{ column_name }}) as n_true
from {{ model }}
group by {{ group_by_columns | join(', ') }}
having countif({{ column_name }}) != 1
{% endtest %}
