[% if attributes is defined and attributes %]
{{ stage_attributes('[[ use_case ]]') }}
[% endif %]
