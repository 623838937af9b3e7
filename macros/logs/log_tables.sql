{# The append-only tables that Python writes: the one place that names their columns. Python
   reads the schema from the warehouse before it loads. Grain and meaning of each:
   models/sources.yml. #}
{% macro log_tables() -%}
    {{ return({
        'run_origins': {
            'columns': {
                'run_id': 'string',
                'run_kind': 'string',
                'use_case': 'string',
                'origin_date': 'date',
                'as_of_at': 'timestamp',
                'is_as_issued': 'bool',
                'requested_at': 'timestamp',
            },
        },
        'run_activations': {
            'columns': {
                'run_id': 'string',
                'run_kind': 'string',
                'use_case': 'string',
                'event': 'string',
                'logged_at': 'timestamp',
            },
        },
        'forecast_log': {
            'columns': {
                'run_id': 'string',
                'shard': 'int64',
                'run_kind': 'string',
                'use_case': 'string',
                'series_id': 'string',
                'model_name': 'string',
                'model_version': 'string',
                'origin_date': 'date',
                'as_of_at': 'timestamp',
                'target_date': 'date',
                'horizon_step': 'int64',
                'yhat': 'float64',
                'yhat_lower': 'float64',
                'yhat_upper': 'float64',
                'interval_source': 'string',
                'interval_calibration': 'string',
                'half_width': 'float64',
                'interval_factor': 'float64',
                'transform': 'string',
                'regressors_as_known': 'string',
                'outcome': 'string',
                'reason': 'string',
                'code_version': 'string',
                'issued_at': 'timestamp',
            },
            'partition_by': 'origin_date',
            'cluster_by': 'use_case, series_id',
        },
        'model_log': {
            'columns': {
                'run_id': 'string',
                'shard': 'int64',
                'use_case': 'string',
                'series_id': 'string',
                'segment': 'string',
                'model_name': 'string',
                'model_version': 'string',
                'parent_version': 'string',
                'object': 'string',
                'sha256': 'string',
                'origin_date': 'date',
                'as_of_at': 'timestamp',
                'trained_at': 'timestamp',
                'train_start': 'date',
                'train_end': 'date',
                'n_obs': 'int64',
                'n_left_out': 'int64',
                'hyperparameters': 'string',
                'metrics': 'string',
                'regressor_ranges': 'string',
                'regressors_left_out': 'string',
                'regressors_contradicting': 'string',
                'status': 'string',
                'error': 'string',
                'code_version': 'string',
            },
            'partition_by': 'origin_date',
            'cluster_by': 'use_case, series_id',
        },
        'model_events': {
            'columns': {
                'run_id': 'string',
                'use_case': 'string',
                'series_id': 'string',
                'model_name': 'string',
                'model_version': 'string',
                'stage': 'string',
                'reason': 'string',
                'numbers': 'string',
                'actor': 'string',
                'as_of_at': 'timestamp',
                'logged_at': 'timestamp',
            },
            'cluster_by': 'use_case, series_id',
        },
        'alert_log': {
            'columns': {
                'run_id': 'string',
                'use_case': 'string',
                'alert': 'string',
                'segment_type': 'string',
                'segment': 'string',
                'since_date': 'date',
                'target_date': 'date',
                'n_periods': 'int64',
                'value': 'float64',
                'threshold': 'float64',
                'n_scored': 'int64',
                'detail': 'string',
                'as_of_at': 'timestamp',
                'logged_at': 'timestamp',
            },
        },
        'coefficient_log': {
            'columns': {
                'run_id': 'string',
                'shard': 'int64',
                'use_case': 'string',
                'model_name': 'string',
                'origin_date': 'date',
                'as_of_at': 'timestamp',
                'recipe': 'string',
                'series_id': 'string',
                'coefficient': 'string',
                'estimate': 'float64',
                'std_error': 'float64',
                'logged_at': 'timestamp',
            },
            'partition_by': 'origin_date',
            'cluster_by': 'use_case, recipe',
        },
        'scenario_log': {
            'columns': {
                'run_id': 'string',
                'use_case': 'string',
                'scenario': 'string',
                'series_id': 'string',
                'model_name': 'string',
                'model_version': 'string',
                'origin_date': 'date',
                'target_date': 'date',
                'horizon_step': 'int64',
                'issued_run_id': 'string',
                'yhat_as_issued': 'float64',
                'yhat': 'float64',
                'yhat_lower': 'float64',
                'yhat_upper': 'float64',
                'is_supposed': 'bool',
                'regressors_as_known': 'string',
                'regressors_as_supposed': 'string',
                'outside_range': 'string',
                'reason': 'string',
                'code_version': 'string',
                'computed_at': 'timestamp',
            },
            'partition_by': 'origin_date',
            'cluster_by': 'use_case, scenario',
        },
        'upload_log': {
            'columns': {
                'use_case': 'string',
                'uri': 'string',
                'generation': 'int64',
                'outcome': 'string',
                'reason': 'string',
                'n_rows': 'int64',
                'logged_at': 'timestamp',
            },
        },
        'run_log': {
            'columns': {
                'run_id': 'string',
                'run_kind': 'string',
                'use_case': 'string',
                'step': 'string',
                'shard': 'int64',
                'n_shards': 'int64',
                'attempt': 'int64',
                'event': 'string',
                'status': 'string',
                'n_in': 'int64',
                'n_out': 'int64',
                'seconds': 'float64',
                'is_partial': 'bool',
                'settings_hash': 'string',
                'code_version': 'string',
                'message': 'string',
                'logged_at': 'timestamp',
                'model_name': 'string',
                'bytes_billed': 'int64',
                'slot_seconds': 'float64',
            },
        },
    }) }}
{%- endmacro %}

{# The tables that people fill and Shelfcast makes, in the dataset of the sources: the scenarios of
   each use case. #}
{% macro input_tables() -%}
    {%- set tables = {} -%}
    {%- for use_case in use_cases() -%}
        {%- do tables.update({use_case ~ '_scenarios': {'columns': scenario_columns(use_case)}}) -%}
    {%- endfor -%}
    {{ return(tables) }}
{%- endmacro %}

{# The columns of a use case's scenarios: one for each part of the key and each regressor that may
   be supposed. #}
{% macro scenario_columns(use_case) -%}
    {%- set columns = {'scenario': 'string'} -%}
    {%- for part in use_case_settings(use_case).key -%}
        {%- do columns.update({part: 'string'}) -%}
    {%- endfor -%}
    {%- do columns.update({'date': 'date'}) -%}
    {%- for value in supposed_values(use_case) -%}
        {%- do columns.update({value: 'float64'}) -%}
    {%- endfor -%}
    {%- do columns.update(
        {'loaded_at': 'timestamp', 'loaded_from': 'string', 'unparsed': 'string'}
    ) -%}
    {{ return(columns) }}
{%- endmacro %}
