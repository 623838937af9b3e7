[% if has_price %]
{{ panel_reference_prices('[[ use_case ]]') }}
[% endif %]
