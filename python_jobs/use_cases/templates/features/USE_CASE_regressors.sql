{{ panel_regressors('[[ use_case ]]') }}
