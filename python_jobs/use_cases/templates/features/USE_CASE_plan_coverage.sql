[% if has_promotions %]
{{ panel_plan_coverage('[[ use_case ]]') }}
[% endif %]
