[% if has_weather %]
{{ stage_weather('[[ use_case ]]') }}
[% endif %]
