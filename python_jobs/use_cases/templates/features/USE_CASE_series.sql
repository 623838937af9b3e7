{{ panel_series('[[ use_case ]]') }}
