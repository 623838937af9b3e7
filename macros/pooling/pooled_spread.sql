{# Standard deviation of the prior that series share, by the method of moments: what their
   estimates vary, less what sampling alone would make them vary,

       sqrt(greatest(s^2 - v, (0.15 s)^2)) + 1e-6,

   s = interquartile range / 1.349 (that of a normal distribution over its standard deviation), v
   = median of the squared standard errors. Where sampling explains all of it a floor of 0.15 s
   stays, since v is itself an estimate. Quartiles and medians, not moments: a few series that
   could hardly be fitted decide nothing. Empirical Bayes: Efron & Morris (1973); the moment
   estimate of the variance between groups: DerSimonian & Laird (1986).
   Unit: that of the coefficient; always above 0.
   `estimates`: a sorted array without nulls; `sampling_variance`: v, 0 where none is known. #}
{% macro pooled_spread(estimates, sampling_variance) -%}
    {%- set sd = '((' ~ quantile_of_sorted(estimates, 0.75) ~ ' - '
        ~ quantile_of_sorted(estimates, 0.25) ~ ') / 1.349)' -%}
    sqrt(greatest(pow({{ sd }}, 2) - {{ sampling_variance }}, pow(0.15 * {{ sd }}, 2))) + 1e-6
{%- endmacro %}
