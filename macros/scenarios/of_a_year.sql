{# A condition on an origin's DATE column: at most a year before the active run's first origin, by
   literal dates, for BigQuery to prune by. Nobody supposes anything of what lies further back. #}
{% macro of_a_year(use_case, column) -%}
{{ origin_bounds(use_case, column, before=366, after=none) }}
{%- endmacro %}
