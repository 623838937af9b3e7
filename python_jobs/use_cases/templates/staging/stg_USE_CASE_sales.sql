{# Sales rows of [[ use_case ]], renamed, cast and judged. One row per row of the source. #}
{{ stage_sales('[[ use_case ]]') }}
