[% if context_length %]
{{ panel_context('[[ use_case ]]') }}
[% endif %]
