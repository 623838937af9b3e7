{# Rows of forecast_errors with the columns of relations that say where each belongs: `periods` of
   scored_periods, `segments` of series_segments. For `accuracy_by`. #}
{% macro errors_of(with_periods=false, with_segments=false) -%}
    select
        errors.*
        {%- if with_periods %},
        periods.period
        {%- endif %}
        {%- if with_segments %},
        segments.segment_type,
        segments.segment
        {%- endif %}
    from {{ ref('forecast_errors') }} as errors
    {%- if with_periods %}
    inner join {{ ref('scored_periods') }} as periods
        on
            errors.use_case = periods.use_case
            and errors.run_kind = periods.run_kind
            and errors.target_date = periods.target_date
    {%- endif %}
    {%- if with_segments %}
    inner join {{ ref('series_segments') }} as segments
        on
            errors.use_case = segments.use_case
            and errors.series_id = segments.series_id
    {%- endif %}
{%- endmacro %}
