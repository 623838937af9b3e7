{{ panel_future_panel('[[ use_case ]]') }}
