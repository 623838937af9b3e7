[% if has_promotions %]
{{ stage_promotions('[[ use_case ]]') }}
[% endif %]
