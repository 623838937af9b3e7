[% if attributes %]
{{ stage_attributes('[[ use_case ]]') }}
[% endif %]
