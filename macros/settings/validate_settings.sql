{# Refuse a settings key that nothing reads and a missing one, by name, before any model is built.
   Runs at the start of every dbt command that builds. Which values are allowed is checked by
   python_jobs/infra/use_case.py, before every run. #}
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
            'alerts': 'alert_defaults', 'retraining': 'retraining_defaults',
            'features': 'feature_defaults',
        }.items() -%}
            {%- do check_keys(errors, where ~ '.' ~ part, given.get(part) or {}, var(defaults)) -%}
        {%- endfor -%}
        {%- for rolling in (given.get('features') or {}).get('rolling', []) -%}
            {%- do check_keys(
                errors, where ~ '.features.rolling', rolling, var('rolling_defaults')
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for section, keys in {
        'prices': ['bigquery_tib', 'vcpu_second', 'gib_second'],
        'job_size': ['vcpu', 'memory_gib'],
    }.items() -%}
        {%- set required = {} -%}
        {%- for key in keys -%}{%- do required.update({key: 'required'}) -%}{%- endfor -%}
        {%- do check_keys(errors, section, var(section) or {}, required) -%}
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

{% macro check_publish(errors, published) -%}
    {%- for name, target in published.items() -%}
        {%- if 'model.' ~ project_name ~ '.' ~ name not in graph.nodes -%}
            {%- do errors.append("publish: no model is named '" ~ name ~ "'") -%}
        {%- endif -%}
        {%- if (target | string).split('.') | select | list | length != 2 -%}
            {%- do errors.append(
                "publish." ~ name ~ ": '" ~ target ~ "' is not 'dataset.name'"
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
