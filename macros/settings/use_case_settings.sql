{# The settings of one use case: defaults, then what `vars: use_cases:` says. The same merge as
   python_jobs/settings.py; `validate_settings` refuses unknown and missing keys before any
   model runs. #}
{% macro use_case_settings(use_case) -%}
    {%- if use_case not in var('use_cases') -%}
        {{ exceptions.raise_compiler_error(
            "settings: no use case named '" ~ use_case ~ "' under vars: use_cases: (known: "
            ~ use_cases() | join(', ') ~ ")"
        ) }}
    {%- endif -%}
    {%- set given = var('use_cases')[use_case] -%}
    {%- set settings = dict(var('use_case_defaults'), **given) -%}
    {%- set sources = {} -%}
    {%- for name, source in (given.get('sources') or {}).items() -%}
        {%- do sources.update({name: dict(var('source_defaults').get(name, {}), **source)}) -%}
    {%- endfor -%}
    {%- set regressors = {} -%}
    {%- for name, regressor in (given.get('regressors') or {}).items() -%}
        {%- do regressors.update({name: dict(var('regressor_defaults'), **regressor)}) -%}
    {%- endfor -%}
    {%- do settings.update({'sources': sources, 'regressors': regressors}) -%}
    {{ return(settings) }}
{%- endmacro %}
