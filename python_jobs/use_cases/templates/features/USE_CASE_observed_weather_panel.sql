[% if has_weather and has_regressors %]
{{ config(materialized='view') }}
{{ observed_weather_panel('[[ use_case ]]') }}
[% endif %]
