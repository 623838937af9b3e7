{# Fails with each combination of the model's grain that stands on more than one row, or on a row
   with a null in a column that its contract declares not null. Takes no argument:
   `declared_contract` reads both from the model. One scan, of these columns only. #}
{% test holds_its_contract(model) %}
{%- set declared = declared_contract() %}
select
    {{ declared.grain | join(', ') }},
    count(*) as n_rows,
    countif({{ declared.not_null | join(' is null or ') }} is null) as n_rows_with_null
from {{ model }}
group by {{ declared.grain | join(', ') }}
having count(*) > 1 or n_rows_with_null > 0
{% endtest %}
