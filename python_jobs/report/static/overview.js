// The top of the page: headline, filters, tiles and the trend.

const stepText = () =>
  `step ${meta.horizon_step}${
    meta.horizon_step === 1
      ? `, the first ${meta.period} after the newest data: the one under way when it was issued`
      : ""
  }`;

function drawHead() {
  $("over").textContent = `${meta.use_case} · ${plural(series.id.length, "series", "series")}`;
  const last = periodIndex(meta.last_period);
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
  const isLast = newestPeriod && newestPeriod.index === periodIndex(meta.last_period);
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
    const before = pooled(trend.filter((one) => one.index < sum.index).slice(-meta.recent_periods));
    return { sum: measured(sum), before };
  });
  for (const [metric, text] of [["wape", percent], ["smape", percent], ["bias", signed]]) {
    draw(
      `trend-${metric}`,
      rows.map(({ sum, before }) => ({
        ds: timeOf(sum.index),
        [metric]: sum[metric],
        usual: before[metric],
        target: meta.target,
        period: periodText(sum.index),
        value_text: text(sum[metric]),
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
