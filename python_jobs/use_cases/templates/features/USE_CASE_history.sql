{{ panel_history('[[ use_case ]]') }}
