{{ panel_gate('[[ use_case ]]') }}
