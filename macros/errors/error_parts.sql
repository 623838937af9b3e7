{# The additive parts of one row that the metrics divide: null where y or yhat is null, so that a row
   leaves numerator and denominator together. error = yhat - y. Each part that belongs to one metric
   stands in that metric's file. #}
{% macro error_parts(y, yhat, yhat_lower, yhat_upper, nominal_coverage, scale, previous_yhat) -%}
    {%- set columns = [] -%}
    {%- for name, value in error_part_values(
        y, yhat, yhat_lower, yhat_upper, nominal_coverage, scale, previous_yhat
    ).items() -%}
        {%- do columns.append(value ~ ' as ' ~ name) -%}
    {%- endfor -%}
    {{ columns | join(',\n    ') }}
{%- endmacro %}

{# The names of the parts, in the order of their columns. #}
{% macro error_part_names() -%}
    {{ return(error_part_values('', '', '', '', '', '', '').keys() | list) }}
{%- endmacro %}

{# The expression of each part, by name. #}
{% macro error_part_values(
    y, yhat, yhat_lower, yhat_upper, nominal_coverage, scale, previous_yhat
) -%}
    {{ return({
        'error': '(' ~ yhat ~ ') - (' ~ y ~ ')',
        'abs_error': 'abs((' ~ yhat ~ ') - (' ~ y ~ '))',
        'squared_error': 'pow((' ~ yhat ~ ') - (' ~ y ~ '), 2)',
        'abs_y': 'if((' ~ yhat ~ ') is null, null, abs(' ~ y ~ '))',
        'smape_term': smape_term(y, yhat),
        'is_covered': covered_term(y, yhat, yhat_lower, yhat_upper),
        'interval_score': 'if((' ~ yhat ~ ') is null, null, '
            ~ winkler_term(y, yhat_lower, yhat_upper, nominal_coverage) ~ ')',
        'pinball_term': pinball_term(y, yhat, yhat_lower, yhat_upper, nominal_coverage),
        'scaled_error': mase_term(y, yhat, scale),
        'abs_change': stability_change(y, yhat, previous_yhat),
        'abs_previous': stability_previous(y, yhat, previous_yhat),
    }) }}
{%- endmacro %}
