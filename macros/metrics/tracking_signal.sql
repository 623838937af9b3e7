{# Tracking signal = sum(yhat - y) / mean(|yhat - y|), over the rows where both are known: how many
   mean absolute errors the errors have added up to in one direction.
   Unit: none; range -n..n for n rows, positive is over-forecast; unbiased errors stay near 0 (about
   4 is the usual limit for 20 rows); null when nothing was scored or every error is 0.
   Brown (1959). #}
{% macro tracking_signal(error='error', abs_error='abs_error') -%}
    safe_divide(sum({{ error }}), avg({{ abs_error }}))
{%- endmacro %}
