{{ panel_training_panel('[[ use_case ]]') }}
