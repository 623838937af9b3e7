{# Split conformal quantile of n scores: the ceil((n + 1) * coverage)-th smallest. Half widths times
   this factor hold at least `coverage` of what comes, where past and future scores are
   exchangeable. An aggregate over the rows of one group: `score_rank` is the row's rank by score
   (1 the smallest), `n` the rows of the group.
   Unit: none; range 0..; null where n is too small for the coverage. Vovk et al. (2005); Lei et
   al. (2018). Rounded, so that 100 * 0.55 is 55 and not a bit more. #}
{% macro conformal_factor(score, score_rank, n, coverage) -%}
    max(if(
        ({{ score_rank }}) = ceil(round((({{ n }}) + 1) * ({{ coverage }}), 9)),
        {{ score }},
        null
    ))
{%- endmacro %}
