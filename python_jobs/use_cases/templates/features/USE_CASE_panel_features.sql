[% if panel_features is defined and panel_features %]
{{ panel_features('[[ use_case ]]') }}
[% endif %]
