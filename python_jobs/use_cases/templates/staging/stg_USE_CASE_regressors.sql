[% if given_regressors %]
{{ stage_regressors('[[ use_case ]]') }}
[% endif %]
