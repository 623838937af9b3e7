[% if has_regressors %]
{{ stage_scenarios('[[ use_case ]]') }}
[% endif %]
