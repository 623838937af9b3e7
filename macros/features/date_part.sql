{# A part of a period's first day. FLOAT64. week_of_year is the ISO week (1..53), day_of_week
   counts from Monday = 1. #}
{% macro date_part(part, ds) -%}
    {%- set expressions = {
        'day_of_week': 'mod(extract(dayofweek from ' ~ ds ~ ') + 5, 7) + 1',
        'day_of_month': 'extract(day from ' ~ ds ~ ')',
        'day_of_year': 'extract(dayofyear from ' ~ ds ~ ')',
        'week_of_year': 'extract(isoweek from ' ~ ds ~ ')',
        'month': 'extract(month from ' ~ ds ~ ')',
        'quarter': 'extract(quarter from ' ~ ds ~ ')',
        'year': 'extract(year from ' ~ ds ~ ')',
    } -%}
    {%- if part not in expressions -%}
        {{ exceptions.raise_compiler_error(
            "features.date_parts: '" ~ part ~ "' is not one of " ~ expressions | join(', ')
        ) }}
    {%- endif -%}
    cast({{ expressions[part] }} as float64)
{%- endmacro %}
