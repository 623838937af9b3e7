{# Fails with each combination of `columns` that stands on more than one row. #}
{% test unique_grain(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as n_rows
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
