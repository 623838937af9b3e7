[% if given_regressors is defined and given_regressors %]
{{ stage_regressors('[[ use_case ]]') }}
[% endif %]
