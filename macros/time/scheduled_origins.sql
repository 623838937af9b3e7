{# The origins that the schedule of a use case should have issued by now, of the last `n_periods`
   periods. `monitored` is one row: as_of_at, the instant that counts as now.
   Grain: origin_date. #}
{% macro scheduled_origins(use_case, monitored, n_periods) -%}
    {%- set settings = use_case_settings(use_case) -%}
    {%- set zone = settings.time_zone -%}
    {%- set days = [
        'sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'
    ] -%}
    select distinct {{ default_origin_date(use_case, 'scheduled_at') }} as origin_date
    from (
        select
            monitored.as_of_at,
            day,
            timestamp(
                concat(cast(day as string), ' {{ (settings.schedule.time | string)[:5] }}:00'), '{{ zone }}'
            ) as scheduled_at
        from {{ monitored }} as monitored
        cross join unnest(generate_date_array(
            date_sub(
                date(monitored.as_of_at, '{{ zone }}'), interval {{ n_periods * period_days(use_case) - 1 }} day
            ),
            date(monitored.as_of_at, '{{ zone }}')
        )) as day
        where monitored.use_case = '{{ use_case }}'
    ) as instants
    where
        scheduled_at <= as_of_at
        {%- if settings.schedule.weekday != 'daily' %}
        and extract(dayofweek from day) = {{ days.index(settings.schedule.weekday) + 1 }}
        {%- endif %}
{%- endmacro %}
