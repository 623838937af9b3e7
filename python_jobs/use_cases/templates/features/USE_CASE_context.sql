[% if context_length is defined and context_length %]
{{ panel_context('[[ use_case ]]') }}
[% endif %]
