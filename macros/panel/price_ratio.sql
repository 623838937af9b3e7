{# ln(price / reference_price) of a period. A past period has its observed price; a planned one
   the mean over its days, where a day without a price or discount is sold at the reference
   price. Null where there is no reference price, and where neither a price nor a plan is
   known. #}
{% macro price_ratio(use_case) -%}
{%- set days = period_days(use_case) -%}
case
            when reference_price is null then null
            when horizon_step is null
                then ln(if(price > 0, price, null) / reference_price)
            when n_priced_days + n_discounted_days > 0
                then ln(nullif((
                    coalesce(sum_price / reference_price, 0)
                    + coalesce(sum_discounted, 0)
                    + {{ days }} - n_priced_days - n_discounted_days
                ) / {{ days }}, 0))
            when promo_source = 'plan' then 0
        end
{%- endmacro %}
