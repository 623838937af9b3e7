{{ panel_keys('[[ use_case ]]') }}
