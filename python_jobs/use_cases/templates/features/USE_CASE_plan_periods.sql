[% if has_promotions %]
{{ panel_plan_periods('[[ use_case ]]') }}
[% endif %]
