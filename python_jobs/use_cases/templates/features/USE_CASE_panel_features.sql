[% if panel_features %]
{{ panel_features('[[ use_case ]]') }}
[% endif %]
