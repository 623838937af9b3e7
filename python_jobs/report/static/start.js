// Everything together: what a choice draws anew, and the first drawing.

function refresh() {
  const chosen = selected();
  const trend = byPeriod(chosen);
  fillFilters(chosen);
  fillSeries(chosen);
  drawTiles(trend, chosen);
  drawTrend(trend);
  drawWorst(chosen);
  drawSeries();
  drawValue(trend, chosen);
  drawIntervals(chosen);
  drawRetraining(chosen);
}

function listen() {
  $("period").addEventListener("change", (event) => {
    state.period = event.target.value;
    drawWorst(selected());
  });
  $("sort").addEventListener("change", (event) => sortBy(event.target.value));
  $("series").addEventListener("change", (event) => {
    state.series = Number(event.target.value);
    drawSeries();
    drawWorst(selected());
  });
  options($("group"), [
    ["series", "series"],
    ...parts.map((part) => [part, meta.labels[part] ?? part]),
    ["demand_class", "demand class"],
  ], "series");
  $("group").addEventListener("change", (event) => {
    state.group = event.target.value;
    drawWorth(selected());
  });
  state.range = `${meta.ranges.at(-1)}`;
  const choices = meta.ranges.map((n) => [`${n}`, plural(n, meta.period)]);
  const ranges = [...choices, ["all", "All"]].map(([range, text]) => {
    const button = element("button", { type: "button", textContent: text });
    button.dataset.range = range;
    button.addEventListener("click", () => {
      state.range = range;
      pressed();
      drawSeries();
    });
    return button;
  });
  $("range").replaceChildren(...ranges);
  pressed();
}

function pressed() {
  for (const button of $("range").children) {
    button.setAttribute("aria-pressed", String(button.dataset.range === state.range));
  }
}

function fail(error) {
  console.error(error);
  $("failed").textContent = `The report could not be drawn. ${error.message}`;
  $("failed").hidden = false;
}

async function start() {
  take(await decode($("data").textContent));
  $("data").remove();
  $("page").hidden = false;
  drawHead();
  drawFilters();
  fillPeriods();
  listen();
  drawDefinitions();
  drawAlerts();
  drawRuns();
  refresh();
  await Promise.all(drawing.values());
  document.documentElement.dataset.ready = "true";
}

start().catch(fail);
