{# Refuse a settings key that nothing reads, a missing one and a value that is not allowed, by
   name, before any model is built. Runs at the start of every dbt command that builds;
   python_jobs/infra/settings.py checks the same for the jobs. #}
{% macro validate_settings() -%}
    {%- set errors = [] -%}
    {%- for use_case, given in var('use_cases').items() -%}
        {%- set where = 'use_cases.' ~ use_case -%}
        {%- do check_keys(errors, where, given, var('use_case_defaults')) -%}
        {%- for name, source in (given.get('sources') or {}).items() -%}
            {%- set at = where ~ '.sources.' ~ name -%}
            {%- do check_keys(errors, at, source, var('source_defaults').get(name, {})) -%}
            {%- do check_keys(
                errors, at ~ '.fetch', source.get('fetch') or {}, var('fetch_defaults')
            ) if name == 'weather' -%}
        {%- endfor -%}
        {%- for name, rule in (given.get('regressors') or {}).items() -%}
            {%- set at = where ~ '.regressors.' ~ name -%}
            {%- do check_keys(errors, at, rule, var('regressor_defaults')) -%}
        {%- endfor -%}
        {%- for part, defaults in {
            'alerts': 'alert_defaults', 'retraining': 'retraining_defaults'
        }.items() -%}
            {%- do check_keys(errors, where ~ '.' ~ part, given.get(part) or {}, var(defaults)) -%}
        {%- endfor -%}
        {%- if not errors -%}
            {%- do check_values(errors, where, use_case_settings(use_case)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do check_key_types(errors) if not errors -%}
    {%- for section, least in {
        'prices': {'bigquery_tib': 0, 'vcpu_second': 0, 'gib_second': 0},
        'job_size': {'vcpu': 0.000001, 'memory_gib': 0.000001},
    }.items() -%}
        {%- do check_numbers(errors, section, var(section) or {}, least) -%}
    {%- endfor -%}
    {%- if execute -%}{%- do check_publish(errors, var('publish') or {}) -%}{%- endif -%}
    {%- if errors and execute -%}
        {{ exceptions.raise_compiler_error("settings: " ~ errors | join("; ")) }}
    {%- endif -%}
{%- endmacro %}

{% macro check_keys(errors, where, given, allowed) -%}
    {%- for key in given if key not in allowed -%}
        {%- do errors.append(
            where ~ ": unknown key '" ~ key ~ "' (known: " ~ allowed.keys() | join(', ') ~ ")"
        ) -%}
    {%- endfor -%}
    {%- for key, value in allowed.items() if value == 'required' and key not in given -%}
        {%- do errors.append(where ~ ": '" ~ key ~ "' is missing") -%}
    {%- endfor -%}
{%- endmacro %}

{% macro check_values(errors, where, settings) -%}
    {%- set choices = var('setting_choices') -%}
    {%- do check_choices(errors, where, settings, choices.use_case) -%}
    {%- for part in ['alerts', 'retraining'] -%}
        {%- do check_choices(errors, where ~ '.' ~ part, settings[part], choices[part]) -%}
    {%- endfor -%}
    {%- if settings.alerts.horizon_step > settings.horizon -%}
        {%- do errors.append(
            where ~ ".alerts.horizon_step: " ~ settings.alerts.horizon_step
            ~ " is beyond the horizon (" ~ settings.horizon ~ ")"
        ) -%}
    {%- endif -%}
    {%- for name, source in settings.sources.items() -%}
        {%- set at = where ~ '.sources.' ~ name -%}
        {%- do check_choices(errors, at, source, choices.source) -%}
        {%- do check_choices(errors, at ~ '.fetch', source.get('fetch') or {}, choices.fetch) -%}
        {%- set needed = {
            'sales': settings.key.keys() | list + ['date', 'quantity'],
            'promotions': settings.key.keys() | list + ['start_date', 'end_date'],
            'weather': ['location', 'date'],
        }.get(name, []) -%}
        {%- for column in needed if column not in source.columns -%}
            {%- do errors.append(at ~ ".columns: '" ~ column ~ "' is missing") -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for name, rule in settings.regressors.items() -%}
        {%- set at = where ~ '.regressors.' ~ name -%}
        {%- do check_choices(errors, at, rule, choices.regressor) -%}
        {%- set source = {
            'plan': 'promotions', 'weather': 'weather', 'calendar': 'calendar'
        }.get(rule.future) -%}
        {%- if source is not none and source not in settings.sources -%}
            {%- do errors.append(
                at ~ ": future is '" ~ rule.future ~ "' but sources has no '" ~ source ~ "'"
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{# One name of a key's column has one type: marts of all use cases show it as one column. #}
{% macro check_key_types(errors) -%}
    {%- for use_case in use_cases() -%}
        {%- for part, type in use_case_settings(use_case).key.items()
            if type != key_columns()[part] -%}
            {%- do errors.append(
                'use_cases.' ~ use_case ~ '.key.' ~ part ~ ': ' ~ type ~ ', but '
                ~ key_columns()[part]
                ~ ' in an earlier use case; the marts show both in one column. Rename one.'
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{% macro check_choices(errors, where, given, choices) -%}
    {%- for key, allowed in choices.items() if key in given and given[key] not in allowed -%}
        {%- do errors.append(
            where ~ "." ~ key ~ ": '" ~ given[key] ~ "' is not one of " ~ allowed | join(', ')
        ) -%}
    {%- endfor -%}
{%- endmacro %}

{# A mapping of numbers, each at least as great as its least; all of them named. #}
{% macro check_numbers(errors, where, given, least) -%}
    {%- set required = {} -%}
    {%- for key in least -%}{%- do required.update({key: 'required'}) -%}{%- endfor -%}
    {%- do check_keys(errors, where, given, required) -%}
    {%- for key, value in given.items() if key in least -%}
        {%- if value is boolean or value is not number or value < least[key] -%}
            {%- do errors.append(
                where ~ "." ~ key ~ ": '" ~ value ~ "' is not a number "
                ~ ("of at least 0" if least[key] == 0 else "above 0")
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro check_publish(errors, published) -%}
    {%- for name, place in published.items() -%}
        {%- if 'model.' ~ project_name ~ '.' ~ name not in graph.nodes -%}
            {%- do errors.append("publish: no model is named '" ~ name ~ "'") -%}
        {%- endif -%}
        {%- if (place | string).split('.') | select | list | length != 2 -%}
            {%- do errors.append(
                "publish." ~ name ~ ": '" ~ place ~ "' is not 'dataset.name'"
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
