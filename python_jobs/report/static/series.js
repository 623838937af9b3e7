// The worst series, and one series over time.

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
  const index = series.start[one] + n;
  const ds = timeOf(index);
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
    period: periodText(index),
    y_text: units(y),
    yhat_text: units(shown),
    interval_text: isKnown(low) ? `${units(low)} to ${units(high)}` : UNKNOWN,
    baseline_text: units(at("baseline_yhat", row)),
    promo_text: has(row, "promoKnown") ? (has(row, "promo") ? "yes" : "no") : UNKNOWN,
    state_text: remark(row),
    decision_text: decisionIn(one, index),
  };
}

const scaled = (value) => (value === null ? null : value / scale());

function remark(row) {
  const remarks = [];
  if (has(row, "gap")) remarks.push("no row in the source");
  if (has(row, "soldOut")) remarks.push("sold out, not scored");
  if (has(row, "fallback")) remarks.push("a baseline stood in");
  if (newest.has(row) && at("yhat", row) === null) remarks.push("issued, not over");
  return remarks.join("; ") || "none";
}

/** The retrainings of a series, newest first; a refusal retrained nothing. */
function retrainingsOf(one) {
  return data.retraining.filter((row) => row.series === one && row.decision !== "refused");
}

function decisionIn(one, index) {
  const found = retrainingsOf(one).filter((row) =>
    Math.floor((Date.parse(row.retrained_date) - timeOf(0)) / (data.periods.period_days * DAY)) === index
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
      rows.map((row) => ({ ...row, shown: limit(row[metric]), value_text: text(row[metric]) })),
      span,
    );
  }
  $("series-name").textContent = nameOf(one);
  $("series-name").dataset.series = series.id[one];
  $("series-note").textContent = aboutSeries(one);
  $("strip-note").textContent = `Each ${meta.period}'s own WAPE, sMAPE and bias at horizon ${stepText()}. ` +
    `Bars end at ±${percent(CUT, 0)}; the tooltip has the number. ` +
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
