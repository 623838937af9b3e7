{{ panel_actuals('[[ use_case ]]') }}
