// Value added over the baselines, and the coverage of the intervals.

function drawValue(trend, chosen) {
  const rows = trend.slice(-meta.trend_periods).map(measured).filter((sum) =>
    isKnown(sum.value_added)
  );
  draw(
    "value-periods",
    rows.map((sum) => ({
      ds: timeOf(sum.index),
      bar_end: timeOf(sum.index) + 0.7 * data.periods.period_days * DAY,
      value_added: sum.value_added,
      period: periodText(sum.index),
      value_text: signed(sum.value_added),
      n: count(sum.n_same),
    })),
  );
  drawSteps(chosen);
  drawBaselines(chosen);
  drawWorth(chosen);
  $("value-note").textContent = "Value added = WAPE of the baseline − WAPE of the model, in " +
    "points, on the rows that every model and baseline forecast; " +
    `the baseline is ${meta.baseline}. Each ${meta.period} at horizon ${stepText()}; ` +
    `the tables are of ${meta.window}, all steps.`;
}

function drawSteps(chosen) {
  const wanted = new Set(chosen);
  const sums = addUp(
    data.by_step.filter((row) => wanted.has(row.series)),
    (row) => row.horizon_step,
  );
  draw(
    "step-chart",
    [...sums].sort((a, b) => a[0] - b[0]).filter(([, sum]) => sum.sum_comparable_abs_y > 0).map(
      ([step, sum]) => {
        const wape = ratio(sum.sum_comparable_abs_error, sum.sum_comparable_abs_y);
        const baseline = ratio(sum.sum_reference_abs_error, sum.sum_comparable_abs_y);
        return {
          step,
          wape,
          baseline_wape: baseline,
          value_text: percent(wape),
          baseline_text: percent(baseline),
          n: count(sum.n_comparable),
        };
      },
    ),
  );
}

const valueOf = (sum) => ({
  ...sum,
  wape: ratio(sum.sum_abs_error, sum.sum_abs_y),
  baseline_wape: ratio(sum.sum_baseline_abs_error, sum.sum_abs_y),
  lost: sum.n_comparable > 0 ? sum.sum_abs_error - sum.sum_baseline_abs_error : null,
  value_added: sum.sum_abs_y > 0
    ? (sum.sum_baseline_abs_error - sum.sum_abs_error) / sum.sum_abs_y
    : null,
});

function drawBaselines(chosen) {
  const wanted = new Set(chosen);
  const sums = addUp(
    data.value_added.filter((row) => wanted.has(row.series)),
    (row) => row.baseline,
  );
  const rows = [...sums].map(([baseline, sum]) => ({ baseline, ...valueOf(sum) })).filter((row) =>
    row.n_comparable > 0
  )
    .sort((a, b) => a.value_added - b.value_added);
  table(
    $("baselines"),
    [
      { title: "Baseline", text: (row) => row.baseline },
      { title: "its WAPE", number: true, text: (row) => percent(row.baseline_wape) },
      { title: "model's", number: true, text: (row) => percent(row.wape) },
      { title: "Value added", number: true, text: (row) => signed(row.value_added) },
      { title: "n", number: true, text: (row) => count(row.n_comparable) },
      { title: "left out", number: true, text: (row) => count(row.n_removed) },
    ],
    rows,
    { nothing: "No row was forecast by every model and baseline yet." },
  );
}

function drawWorth(chosen) {
  const wanted = new Set(chosen);
  const own = data.value_added.filter((row) =>
    wanted.has(row.series) && row.baseline === meta.baseline
  );
  const nameBy = { series: (row) => row.series, demand_class: (row) => classOf(row.series) };
  const keyOf = nameBy[state.group] ?? ((row) => partOf(row.series, state.group));
  const rows = [...addUp(own, keyOf)]
    .map(([key, sum]) => ({ key, series: state.group === "series" ? key : null, ...valueOf(sum) }))
    .filter((row) => row.lost > 0).sort((a, b) => b.lost - a.lost);
  table(
    $("worth"),
    [
      {
        title: meta.labels[state.group] ?? "Series",
        long: true,
        text: (row) => (state.group === "series" ? nameOf(row.key) : row.key),
      },
      { title: "Units worse", number: true, text: (row) => units(row.lost) },
      { title: "Value added", number: true, text: (row) => signed(row.value_added) },
      { title: "n", number: true, text: (row) => count(row.n_comparable) },
    ],
    rows,
    {
      nothing: own.length
        ? `Nowhere: the model beats ${meta.baseline} in every one of them.`
        : "Nothing to compare yet.",
      open: openSeries,
      chosen: state.series,
    },
  );
}

function drawIntervals(chosen) {
  const wanted = new Set(chosen);
  const own = data.intervals.filter((row) => wanted.has(row.series));
  const classes = ["all", ...new Set(own.map((row) => classOf(row.series)))];
  const rows = classes.flatMap((name) => {
    const sums = addUp(
      own.filter((row) => name === "all" || classOf(row.series) === name),
      (row) => row.horizon_step,
    );
    return [...sums].sort((a, b) => a[0] - b[0]).filter(([, sum]) => sum.n_with_interval > 0)
      .map(([step, sum], n, all) => intervalRow(name, step, sum, n === all.length - 1));
  });
  draw("interval-chart", rows);
  table(
    $("intervals"),
    [
      { title: "Demand class", text: (row) => row.demand_class },
      {
        title: "inside",
        number: true,
        text: (row) => percent(ratio(row.n_covered, row.n_with_interval)),
      },
      {
        title: "below",
        number: true,
        text: (row) => percent(ratio(row.n_below, row.n_with_interval)),
      },
      {
        title: "above",
        number: true,
        text: (row) => percent(ratio(row.n_above, row.n_with_interval)),
      },
      { title: "n", number: true, text: (row) => count(row.n_with_interval) },
    ],
    classes.map((name) => ({
      demand_class: name,
      ...addUp(own.filter((row) => name === "all" || classOf(row.series) === name), () => "").get(
        "",
      ),
    }))
      .filter((row) => row.n_with_interval > 0),
    { nothing: "No scored forecast has an interval." },
  );
  $("interval-note").textContent = `Share of actuals inside the interval, of ${meta.window}; ` +
    `an honest interval holds ${
      percent(meta.interval, 0)
    } of them (the dark line). Coloured: all ` +
    "series; grey: each demand class. Below: sold less than its lower end. " +
    "Fallbacks have no interval and are not counted.";
}

function intervalRow(name, step, sum, isLast) {
  const coverage = ratio(sum.n_covered, sum.n_with_interval);
  return {
    demand_class: name,
    step,
    coverage,
    nominal: meta.interval,
    value_text: percent(coverage),
    n: count(sum.n_with_interval),
    is_last: isLast,
  };
}
