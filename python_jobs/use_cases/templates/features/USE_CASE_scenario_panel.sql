[% if has_regressors %]
{{ config(materialized='view') }}
{{ scenario_panel('[[ use_case ]]') }}
[% endif %]
