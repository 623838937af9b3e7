[% if has_promotions %]
{{ panel_plan('[[ use_case ]]') }}
[% endif %]
