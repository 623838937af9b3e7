{# The settings of one use case: defaults, those of its grain, then what `vars: use_cases:` says. The same merge as
   python_jobs/infra/settings.py; `validate_settings` refuses unknown and missing keys before any
   model runs. dbt reads the models of a use case that the settings leave out, too, to find that
   they are disabled: for that the least will do. #}
{% macro use_case_settings(use_case) -%}
    {%- if use_case not in var('use_cases') and execute -%}
        {{ exceptions.raise_compiler_error(
            "settings: no use case named '" ~ use_case ~ "' under vars: use_cases: (known: "
            ~ use_cases() | join(', ') ~ ")"
        ) }}
    {%- endif -%}
    {%- set left_out = {
        'grain': 'week', 'horizon': 1, 'season': 1, 'key': {}, 'families': [none],
        'sources': {'sales': {'columns': {}}},
    } -%}
    {%- set given = var('use_cases').get(use_case, left_out) -%}
    {%- set of_grain = var('day_defaults') if given.grain == 'day' else {} -%}
    {%- set settings = dict(dict(var('use_case_defaults'), **of_grain), **given) -%}
    {%- set sources = {} -%}
    {%- for name, source in (given.get('sources') or {}).items() -%}
        {%- do sources.update({name: dict(var('source_defaults').get(name, {}), **source)}) -%}
    {%- endfor -%}
    {%- if 'weather' in sources -%}
        {%- set fetch = dict(var('fetch_defaults'), **(sources.weather.fetch or {})) -%}
        {%- do sources.weather.update({'fetch': fetch}) -%}
    {%- endif -%}
    {%- set regressors = {} -%}
    {%- for name, regressor in (given.get('regressors') or {}).items() -%}
        {%- do regressors.update({name: dict(var('regressor_defaults'), **regressor)}) -%}
    {%- endfor -%}
    {%- do settings.update({
        'sources': sources,
        'regressors': regressors,
        'features': dict(var('feature_defaults'), **(given.get('features') or {})),
        'alerts': dict(
            dict(var('alert_defaults'), **of_grain.get('alerts', {})), **(given.get('alerts') or {})
        ),
        'retraining': dict(
            dict(var('retraining_defaults'), **of_grain.get('retraining', {})),
            **(given.get('retraining') or {})
        ),
    }) -%}
    {{ return(settings) }}
{%- endmacro %}
