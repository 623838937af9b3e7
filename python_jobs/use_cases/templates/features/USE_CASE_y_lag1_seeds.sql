{{ panel_y_lag1_seeds('[[ use_case ]]') }}
