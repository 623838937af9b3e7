{# A series whose name does not split into the parts of its own use case's key would stand on every
   page without them, and no filter would find it. #}
select
    use_case,
    series_id
from ({{ report_keys() }}) as keys
where
    {%- for use_case in use_cases() %}
    {%- for part in use_case_settings(use_case).key %}
    (use_case = '{{ use_case }}' and {{ part }} is null)
    or
    {%- endfor %}
    {%- endfor %}
    false
