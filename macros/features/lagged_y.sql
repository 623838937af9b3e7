{# An aggregate over the observed y of the periods from `first` to `last` before the row's own, by
   date: the window ranges over period_number, so a missing period leaves a hole and never shifts
   history. Null where none of them was observed. #}
{% macro lagged_y(aggregate, first, last) -%}
    {{ aggregate }}(y) over (
            partition by series_id, origin_date
            order by period_number
            range between {{ last }} preceding and {{ first }} preceding
        )
{%- endmacro %}
