{# Fails with each group in which the boolean `column` is not true on exactly one row. #}
{% test exactly_one_true(model, column, group_by) %}
select
    {{ group_by | join(', ') }},
    countif({{ column }}) as n_true
from {{ model }}
group by {{ group_by | join(', ') }}
having countif({{ column }}) != 1
{% endtest %}
