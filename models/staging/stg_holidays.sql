{# Public holidays, from the reviewed seed. One row per country, holiday_date, name. #}
select
    holiday_date,
    name as holiday_name,
    country
from {{ ref('holidays') }}
