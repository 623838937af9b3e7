{# The SQL aggregate of a rolling statistic. std is the sample's (n - 1), null for one value. #}
{% macro rolling_aggregate(statistic) -%}
    {%- set aggregates = {'mean': 'avg', 'std': 'stddev_samp', 'min': 'min', 'max': 'max'} -%}
    {%- if statistic not in aggregates -%}
        {{ exceptions.raise_compiler_error(
            "features.rolling: '" ~ statistic ~ "' is not one of " ~ aggregates | join(', ')
        ) }}
    {%- endif -%}
    {{ return(aggregates[statistic]) }}
{%- endmacro %}
