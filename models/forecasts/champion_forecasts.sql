{# The forecast to use: the champion's rows, each of which may be a fallback.
   One row per use_case, series_id, origin_date, target_date. #}
select
    {{ forecast_columns(without=['is_champion', 'code_version']) }}
from {{ ref('forecasts') }}
where is_champion
