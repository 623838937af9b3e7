{{ panel_missing_regressors('[[ use_case ]]') }}
