[% if has_weather %]
{{ panel_weather('[[ use_case ]]') }}
[% endif %]
