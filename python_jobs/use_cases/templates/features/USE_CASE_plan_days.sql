[% if has_promotions %]
{{ panel_plan_days('[[ use_case ]]') }}
[% endif %]
