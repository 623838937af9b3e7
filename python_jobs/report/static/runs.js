// Alerts, retraining, runs and the definitions.

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
    `A segment has an alert when its WAPE at horizon step ${horizon_step} ` +
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
