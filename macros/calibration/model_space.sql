{# A value on the scale on which the model's interval is symmetric: itself for `none`, ln(1 + x) for
   `log1p`. FLOAT64; null for another transform, or where x <= -1 has no logarithm. #}
{% macro model_space(x, transform) -%}
    case {{ transform }}
        when 'none' then ({{ x }})
        when 'log1p' then safe.ln(1 + ({{ x }}))
    end
{%- endmacro %}
