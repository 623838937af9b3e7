// The sections of the page, from the headline to the runs.

const stepText = () =>
  `step ${meta.horizon_step}${
    meta.horizon_step === 1 ? `, the first ${meta.period} after the newest data` : ""
  }`;

function drawHead() {
  $("over").textContent = `${meta.use_case} · ${plural(series.id.length, "series", "series")}`;
  const last = placeOf(meta.last_period);
  const until = last === null
    ? `Forecasts were issued, and none of the ${meta.period}s that they are for has an actual yet`
    : `${capital(meta.period)}s up to ${day(timeOf(last) + (data.periods.period_days - 1) * DAY)}${
      meta.is_complete ? "" : ", whose actuals are not all in"
    }`;
  $("lead").textContent = `${until}. What planners were served, fallbacks included, ` +
    `at horizon ${stepText()}. Made ${meta.made}.`;
}

function drawFilters() {
  const form = $("filters");
  const selects = parts.map((part) => {
    const select = element("select", { id: `filter-${part}`, name: part });
    select.addEventListener("change", () => {
      state.key[part] = select.value;
      for (const later of parts.slice(parts.indexOf(part) + 1)) {
        if (!namesOf(later).includes(state.key[later])) state.key[later] = "";
      }
      refresh();
    });
    return element("label", {}, `${meta.labels[part] ?? part} `, select);
  });
  const reset = element("button", { type: "button", textContent: "All series" });
  reset.addEventListener("click", () => {
    state.key = {};
    refresh();
  });
  form.replaceChildren(...selects, reset, element("span", { className: "found", id: "found" }));
  form.addEventListener("submit", (event) => event.preventDefault());
}

// What a dropdown offers: the values that the dropdowns before it leave.
function namesOf(part) {
  const before = parts.slice(0, parts.indexOf(part));
  const left = series.id.map((_, one) => one)
    .filter((one) =>
      before.every((other) => !state.key[other] || partOf(one, other) === state.key[other])
    );
  return [...new Set(left.map((one) => partOf(one, part)))].sort();
}

function fillFilters(chosen) {
  for (const part of parts) {
    options(
      $(`filter-${part}`),
      [["", "all"], ...namesOf(part).map((name) => [name, name])],
      state.key[part] ?? "",
    );
  }
  $("found").textContent = `${count(chosen.length)} of ${
    plural(series.id.length, "series", "series")
  }`;
}

function tile(title, text, ...below) {
  const isUnknown = text === UNKNOWN;
  return element(
    "div",
    { className: "tile" },
    element("b", { textContent: title }),
    element("strong", { textContent: text, className: isUnknown ? "unknown" : "" }),
    ...below.filter(Boolean).map((line) => element("span", { textContent: line })),
  );
}

function drawTiles(trend, chosen) {
  const newestPeriod = trend.at(-1);
  const isLast = newestPeriod && newestPeriod.place === placeOf(meta.last_period);
  const now = isLast ? measured(newestPeriod) : measured({ n: 0, y: 0, same_y: 0 });
  const earlier = trend.slice(0, isLast ? -1 : undefined).slice(-meta.recent_periods);
  const usual = pooled(earlier);
  const before = (
    text,
  ) => (earlier.length
    ? `${plural(earlier.length, meta.period)} before: ${text}`
    : `no ${meta.period} before it`);
  const held = sumOf(data.intervals, chosen);
  const wanted = new Set(chosen);
  const due = candidates().filter((row) => row.is_due && wanted.has(row.series));
  $("tiles").replaceChildren(
    tile(
      `WAPE, last ${meta.period}`,
      percent(now.wape),
      before(percent(usual.wape)),
      `alert above ${percent(meta.target, 0)} · n = ${count(now.n)}`,
    ),
    tile(
      `sMAPE, last ${meta.period}`,
      percent(now.smape),
      before(percent(usual.smape)),
      `n = ${count(now.n)}`,
    ),
    tile(
      `Bias, last ${meta.period}`,
      signed(now.bias),
      before(signed(usual.bias)),
      `${
        isKnown(now.bias) && now.bias !== 0
          ? `forecast too ${now.bias > 0 ? "high" : "low"} · `
          : ""
      }n = ${count(now.n)}`,
    ),
    tile(
      `Better than ${meta.baseline}`,
      signed(now.value_added),
      before(signed(usual.value_added)),
      `points of WAPE · n = ${count(now.n_same)}`,
    ),
    tile(
      "Inside the interval",
      percent(ratio(held.n_covered, held.n_with_interval)),
      `nominal ${percent(meta.interval, 0)}, over ${plural(meta.recent_periods, meta.period)}`,
      `all steps · n = ${count(held.n_with_interval ?? 0)}`,
    ),
    tile(
      "Alerts",
      count(data.alerts.length),
      `${plural(due.length, "series", "series")} due for retraining`,
      "alerts of all segments",
    ),
  );
}

const sumOf = (rows, chosen) => {
  const wanted = new Set(chosen);
  return addUp(rows.filter((row) => wanted.has(row.series)), () => "").get("") ?? {};
};

function drawTrend(trend) {
  const rows = trend.slice(-meta.trend_periods).map((sum) => {
    const before = pooled(trend.filter((one) => one.place < sum.place).slice(-meta.recent_periods));
    return { sum: measured(sum), before };
  });
  for (const [metric, text] of [["wape", percent], ["smape", percent], ["bias", signed]]) {
    draw(
      `trend-${metric}`,
      rows.map(({ sum, before }) => ({
        ds: timeOf(sum.place),
        [metric]: sum[metric],
        usual: before[metric],
        target: meta.target,
        period: periodText(sum.place),
        told: text(sum[metric]),
        before: text(before[metric]),
        n: count(sum.n),
      })),
    );
  }
  const n = trend.slice(-meta.trend_periods).reduce((sum, one) => sum + one.n, 0);
  $("trend-note").textContent = `One point a ${meta.period} at horizon ${stepText()}; ` +
    `n = ${plural(n, "scored forecast")}. Dashed: the ${meta.recent_periods} ${meta.period}s before it ` +
    `together. The upper line of WAPE is the threshold of alerts, ${percent(meta.target, 0)}. ` +
    `${capital(meta.period)}s sold out, missing or not over are not scored.`;
}

const WINDOWS = {
  last_1_week: "the last week",
  last_4_weeks: "the last 4 weeks",
  last_13_weeks: "the last 13 weeks",
};
const windowText = (period) => WINDOWS[period] ?? period;

function fillPeriods() {
  const found = [...new Set(data.worst.map((row) => row.period))];
  const windows = Object.keys(WINDOWS).filter((period) => found.includes(period));
  const months = found.filter((period) => !(period in WINDOWS)).sort().reverse();
  const all = [...windows, ...months];
  state.period = all.includes("last_4_weeks") ? "last_4_weeks" : all[0] ?? null;
  options($("period"), all.map((period) => [period, windowText(period)]), state.period);
}

function worstRows(chosen) {
  const wanted = new Set(chosen);
  return data.worst.filter((row) => row.period === state.period && wanted.has(row.series))
    .sort((a, b) =>
      (b[state.sort] ?? -Infinity) - (a[state.sort] ?? -Infinity) || a.series - b.series
    );
}

function seriesColumns() {
  return [
    { title: "Series", long: true, text: (row) => nameOf(row.series) },
    { title: "Demand", text: (row) => classOf(row.series) },
  ];
}

function drawWorst(chosen) {
  const rows = worstRows(chosen);
  const most = Math.max(...rows.map((row) => row.sum_abs_error ?? 0), 0);
  const columns = [
    ...seriesColumns(),
    {
      title: "Units of error",
      number: true,
      sort: "sum_abs_error",
      node: (row) => withBar(units(row.sum_abs_error), ratio(row.sum_abs_error, most)),
    },
    { title: "WAPE", number: true, sort: "wape", text: (row) => percent(row.wape) },
    { title: "sMAPE", number: true, sort: "smape", text: (row) => percent(row.smape) },
    { title: "Bias", number: true, text: (row) => signed(row.bias) },
    { title: "Value added", number: true, text: (row) => signed(row.forecast_value_added) },
    { title: "n", number: true, text: (row) => count(row.n_scored) },
    { title: "Retraining", node: (row) => (row.is_candidate ? candidatePills(row) : "") },
  ];
  table($("worst"), columns, rows, {
    nothing: "No series was scored in this window.",
    open: openSeries,
    chosen: state.series,
    sorted: state.sort,
    onSort: sortBy,
  });
  $("sort").value = state.sort;
  $("worst-note").textContent = `Of ${windowText(state.period)}, all horizon steps together, ` +
    "what was served. Click a series to see it. " +
    `Value added: WAPE of ${meta.baseline} minus WAPE of the model, on the rows that every model ` +
    "forecast; below 0 it is worth less.";
}

function withBar(text, share) {
  const bar = element("span", { className: "size" });
  bar.style.width = `${Math.round(100 * (share ?? 0))}%`;
  return element("span", {}, cellText(text), bar);
}

function candidatePills(row) {
  const texts = (row.candidate_rules ?? "candidate").replaceAll("_", " ").split(", ");
  const made = pills(texts, row.is_due ? "pill strong" : "pill");
  made.title = `${row.candidate_reason ?? ""}${row.is_due ? "" : " (cooling down)"}`;
  return made;
}

function sortBy(name) {
  state.sort = name;
  drawWorst(selected());
}

function openSeries(one) {
  state.series = one;
  drawSeries();
  drawWorst(selected());
  $("one").scrollIntoView({ behavior: "smooth", block: "start" });
}

function fillSeries(chosen) {
  if (!chosen.includes(state.series)) {
    state.series = worstRows(chosen)[0]?.series ?? chosen[0] ?? null;
  }
  options($("series"), chosen.map((one) => [String(one), nameOf(one)]), String(state.series));
}

function seriesRows(one) {
  const n = series.length[one];
  const first = Math.max(0, state.range === "all" ? 0 : n - Number(state.range) - meta.horizon);
  return Array.from({ length: n - first }, (_, k) => periodRow(one, first + k));
}

function periodRow(one, n) {
  const row = starts[one] + n;
  const place = series.start[one] + n;
  const ds = timeOf(place);
  const next = ds + data.periods.period_days * DAY;
  const ahead = newest.get(row);
  const ofNewest = (
    column,
  ) => (ahead === undefined ? null : scaled(data.periods.newest[column][ahead]));
  const [y, yhat] = [at("y", row), at("yhat", row)];
  const [lower, upper] = [at("yhat_lower", row), at("yhat_upper", row)];
  const shown = yhat ?? ofNewest("yhat");
  const [low, high] = yhat === null
    ? [ofNewest("yhat_lower"), ofNewest("yhat_upper")]
    : [lower, upper];
  const error = has(row, "scored") ? at("sum_error", row) : null;
  return {
    ds,
    end: next,
    bar_end: ds + 0.7 * data.periods.period_days * DAY,
    y,
    yhat,
    yhat_lower: lower,
    yhat_upper: upper,
    baseline: at("baseline_yhat", row),
    newest: ofNewest("yhat"),
    newest_lower: ofNewest("yhat_lower"),
    newest_upper: ofNewest("yhat_upper"),
    is_promo: has(row, "promo"),
    is_sold_out: has(row, "soldOut"),
    is_retrained: has(row, "retrained"),
    wape: ratio(error === null ? null : Math.abs(error), Math.abs(y)),
    smape: error === null ? null : periods.smape[row] / 1e4,
    bias: ratio(error, Math.abs(y)),
    period: periodText(place),
    told_y: units(y),
    told_yhat: units(shown),
    told_interval: isKnown(low) ? `${units(low)} to ${units(high)}` : UNKNOWN,
    told_baseline: units(at("baseline_yhat", row)),
    told_promo: has(row, "promoKnown") ? (has(row, "promo") ? "yes" : "no") : UNKNOWN,
    told_state: remark(row),
    told_decision: decisionIn(one, place),
  };
}

const scaled = (value) => (value === null ? null : value / scale());

function remark(row) {
  const said = [];
  if (has(row, "gap")) said.push("no row in the source");
  if (has(row, "soldOut")) said.push("sold out, not scored");
  if (has(row, "fallback")) said.push("a baseline stood in");
  if (newest.has(row) && at("yhat", row) === null) said.push("issued, not over");
  return said.join("; ") || "none";
}

/** The retrainings of a series, newest first; a refusal retrained nothing. */
function retrainingsOf(one) {
  return data.retraining.filter((row) => row.series === one && row.decision !== "refused");
}

function decisionIn(one, place) {
  const found = retrainingsOf(one).filter((row) =>
    Math.floor((Date.parse(row.retrained_date) - timeOf(0)) / (data.periods.period_days * DAY)) === place
  );
  return found.map((row) => row.decision.replaceAll("_", " ")).join(", ") || UNKNOWN;
}

function drawSeries() {
  const one = state.series;
  $("series").value = String(one);
  if (one === null) return;
  const rows = seriesRows(one);
  const span = [rows[0].ds, rows.at(-1).end];
  draw("series-chart", rows, span);
  const limit = (value) => (isKnown(value) ? Math.max(-CUT, Math.min(CUT, value)) : null);
  for (const [metric, text] of [["wape", percent], ["smape", percent], ["bias", signed]]) {
    draw(
      `series-${metric}`,
      rows.map((row) => ({ ...row, shown: limit(row[metric]), told: text(row[metric]) })),
      span,
    );
  }
  $("series-name").textContent = nameOf(one);
  $("series-name").dataset.series = series.id[one];
  $("series-note").textContent = aboutSeries(one);
  $("strip-note").textContent = `Each ${meta.period}'s own WAPE, sMAPE and bias at horizon ${stepText()}. ` +
    `Bars end at ±${percent(CUT, 0)}; the tip tells the number. ` +
    "No bar: not scored, or nothing was sold and the ratio is not known.";
}

function aboutSeries(one) {
  const scored = Array.from({ length: series.length[one] }, (_, n) => starts[one] + n).filter((
    row,
  ) => has(row, "scored"));
  const found = data.worst.find((row) => row.series === one && row.is_candidate);
  const decided = retrainingsOf(one);
  return [
    `Demand class ${classOf(one)}; ${plural(series.length[one], meta.period)} on the calendar,`,
    `${plural(scored.length, "forecast")} scored at this step.`,
    decided.length
      ? `Retrained ${dayOf(decided[0].retrained_date)}: ${decided[0].decision.replaceAll("_", " ")}.`
      : "No retraining on record.",
    found ? `Candidate: ${found.candidate_reason}.` : "",
  ].join(" ");
}

function drawValue(trend, chosen) {
  const rows = trend.slice(-meta.trend_periods).map(measured).filter((sum) =>
    isKnown(sum.value_added)
  );
  draw(
    "value-periods",
    rows.map((sum) => ({
      ds: timeOf(sum.place),
      bar_end: timeOf(sum.place) + 0.7 * data.periods.period_days * DAY,
      value_added: sum.value_added,
      period: periodText(sum.place),
      told: signed(sum.value_added),
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
          told: percent(wape),
          told_baseline: percent(baseline),
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
    told: percent(coverage),
    n: count(sum.n_with_interval),
    is_last: isLast,
  };
}

const ALERTS = { wape: percent, tracking_signal: units };
const judged = (row, value) => (isKnown(value) ? (ALERTS[row.alert] ?? units)(value) : "");

function segmentText(row) {
  if (row.segment_type === "total") return "all series";
  const type = meta.labels[row.segment_type] ?? row.segment_type;
  return row.segment_type === "series" ? row.segment : `${type}: ${row.segment}`;
}

function drawAlerts() {
  table(
    $("alerts"),
    [
      {
        title: "Alert",
        node: (row) =>
          pills(
            [row.alert.replaceAll("_", " ")],
            row.alert === "no_forecast" ? "pill" : "pill strong",
          ),
      },
      { title: "Segment", long: true, text: segmentText },
      { title: "Since", text: (row) => dayOf(row.since_date) },
      { title: "In a row", number: true, text: (row) => count(row.n_periods) },
      { title: "Value", number: true, text: (row) => judged(row, row.value) },
      { title: "Threshold", number: true, text: (row) => judged(row, row.threshold) },
      { title: "n", number: true, text: (row) => (row.n_scored ? count(row.n_scored) : "") },
      { title: "What", long: true, text: (row) => row.told ?? UNKNOWN },
    ],
    data.alerts,
    { nothing: "No alert stands." },
  );
  const { wape, periods: inRow, horizon_step, min_scored, tracking_signal, tracking_periods } =
    meta.alerts;
  $("alert-note").textContent =
    `A segment is told of when its WAPE at horizon step ${horizon_step} ` +
    `lies above ${percent(wape, 0)} for ${
      plural(inRow, meta.period)
    } in a row, when its tracking signal ` +
    `over ${
      plural(tracking_periods, meta.period)
    } passes ${tracking_signal}, when a series is refused a ` +
    `forecast, and when a run is missing. ${
      capital(meta.period)
    }s whose actuals are not in, or with fewer than ` +
    `${min_scored} scored forecasts, are not judged. Of all series, whatever the filter.`;
}

// One row a candidate, the largest recent errors first.
function candidates() {
  const found = new Map();
  const rows = data.worst.filter((row) => row.is_candidate)
    .sort((a, b) => (b.period === "last_4_weeks") - (a.period === "last_4_weeks"));
  for (const row of rows) if (!found.has(row.series)) found.set(row.series, row);
  return [...found.values()].sort((a, b) => (b.sum_abs_error ?? 0) - (a.sum_abs_error ?? 0));
}

function drawRetraining(chosen) {
  const wanted = new Set(chosen);
  const due = candidates().filter((row) => wanted.has(row.series));
  table(
    $("candidates"),
    [
      seriesColumns()[0],
      { title: "Rules", node: candidatePills },
      { title: "Why", long: true, text: (row) => row.candidate_reason ?? UNKNOWN },
      { title: "When", text: (row) => (row.is_due ? "due" : "cooling down") },
    ],
    due,
    { nothing: "None: no rule of the policy fires.", open: openSeries, chosen: state.series },
  );
  table(
    $("retraining"),
    [
      { title: "Date", text: (row) => dayOf(row.retrained_date) },
      { title: "Series", long: true, text: (row) => nameOf(row.series) },
      { title: "Decision", node: (row) => decided(row) },
      { title: "Rules", long: true, text: (row) => row.rules || "asked for" },
      { title: "Old recipe", number: true, text: (row) => percent(row.champion_wape) },
      { title: "New recipe", number: true, text: (row) => percent(row.challenger_wape) },
      { title: "Baseline", number: true, text: (row) => percent(row.baseline_wape) },
      { title: `${capital(meta.period)}s`, number: true, text: (row) => count(row.n_periods) },
      { title: "Served before", number: true, text: (row) => percent(row.wape_before) },
      { title: "since", number: true, text: (row) => percent(row.wape_after) },
    ],
    data.retraining.filter((row) => wanted.has(row.series)),
    { nothing: "No series was retrained yet.", open: openSeries, chosen: state.series },
  );
  $("retraining-note").textContent = "Old and new recipe are fitted again as of the same past " +
    `origins and compared on ${meta.period}s that neither saw; the new one serves where it is better by the ` +
    "margin that the settings ask for, and a baseline where it beats both. All numbers are WAPE: " +
    `of the recipes and the baseline on those held-out ${meta.period}s; served before and since, of what ` +
    `was issued at the origins of the four ${meta.period}s before the decision and of the four from it on. ` +
    "Refused: the series could not be forecast at all then.";
}

function decided(row) {
  const made = pills([(row.decision ?? UNKNOWN).replaceAll("_", " ")]);
  made.title = row.why ?? "";
  return made;
}

function drawRuns() {
  table(
    $("runs"),
    [
      { title: "Run", node: (row) => pills([row.run_kind]) },
      { title: "Data up to", text: (row) => dayOf(row.origin_date) },
      { title: "As of", text: (row) => dayOf(row.as_of_at) },
      { title: "Series", number: true, text: (row) => count(row.n_series) },
      { title: "Forecast", number: true, text: (row) => count(row.n_forecast) },
      { title: "Fell back", number: true, text: (row) => count(row.n_fallback) },
      { title: "Refused", number: true, text: (row) => count(row.n_refused) },
      { title: "Lost", number: true, text: (row) => count(row.n_unaccounted) },
      { title: "Seconds", number: true, text: (row) => units(row.seconds) },
      { title: "WAPE since", number: true, text: (row) => percent(row.wape) },
      {
        title: "Status",
        node: (row) =>
          pills([row.status.replaceAll("_", " ")], row.status === "done" ? "pill" : "pill strong"),
      },
      { title: "Why not forecast", long: true, text: (row) => row.failure ?? row.exceptions ?? "" },
    ],
    data.runs,
    { nothing: "No run on record." },
  );
  $("run-note").textContent = "Series in = forecast + fallen back + refused; whatever is lost is " +
    "a fault. WAPE since: of what the run issued and has been scored since, all steps.";
}

function drawDefinitions() {
  $("definitions").replaceChildren(
    ...Object.entries(meta.definitions)
      .flatMap((
        [name, text],
      ) => [element("dt", { textContent: name }), element("dd", { textContent: text })]),
  );
}
