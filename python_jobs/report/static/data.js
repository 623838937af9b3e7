// The marts' columns, decoded; sums by period of the selected series.

let data, meta, series, parts, periods, newest;
let starts = []; // the first row of each series in the columns of `periods`
const charts = JSON.parse($("charts").textContent);
const state = {
  key: {},
  series: null,
  period: null,
  sort: "sum_abs_error",
  range: "all",
  group: "series",
};

async function decode(text) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error(
      "This browser is too old to open the report (it cannot unpack gzip). " +
        "A version of 2023 or later can.",
    );
  }
  const packed = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function take(content) {
  data = content;
  ({ meta } = data);
  series = data.periods.series;
  periods = data.periods.periods;
  parts = Object.keys(series.key);
  let row = 0;
  starts = series.length.map((n) => {
    const first = row;
    row += n;
    return first;
  });
  newest = new Map(data.periods.newest.at.map((index, n) => [index, n]));
  for (
    const name of ["by_step", "value_added", "intervals", "worst", "runs", "alerts", "retraining"]
  ) {
    data[name] = rowsOf(data[name]);
  }
}

function rowsOf(columns) {
  const names = Object.keys(columns);
  const n = names.length ? columns[names[0]].length : 0;
  return Array.from(
    { length: n },
    (_, row) => Object.fromEntries(names.map((name) => [name, columns[name][row]])),
  );
}

const scale = () => 10 ** data.periods.decimals;
const at = (column, row) => {
  const value = periods[column][row];
  return value === null ? null : value / scale();
};
const has = (row, flag) => (periods.flags[row] & FLAGS[flag]) !== 0;
const timeOf = (index) =>
  Date.parse(`${data.periods.first}T00:00:00Z`) + index * data.periods.period_days * DAY;
const periodIndex = (
  text,
) => (text
  ? Math.round((Date.parse(`${text}T00:00:00Z`) - timeOf(0)) / (data.periods.period_days * DAY))
  : null);
const partOf = (one, part) => series.key[part].names[series.key[part].codes[one]];
const classOf = (one) => series.demand_class.names[series.demand_class.codes[one]];
const nameOf = (one) => parts.map((part) => partOf(one, part)).join(" / ");
const periodText = (index) =>
  `${meta.period === "week" ? "week of " : ""}${day(timeOf(index))}`;

function selected() {
  return series.id.map((_, one) => one)
    .filter((one) =>
      parts.every((part) => !state.key[part] || partOf(one, part) === state.key[part])
    );
}

function addUp(rows, keyOf) {
  const sums = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    if (!sums.has(key)) sums.set(key, {});
    const sum = sums.get(key);
    for (const [name, value] of Object.entries(row)) {
      if (typeof value === "number" && name !== "series") sum[name] = (sum[name] ?? 0) + value;
    }
  }
  return sums;
}

function byPeriod(chosen) {
  const sums = new Map();
  for (const one of chosen) {
    for (let n = 0; n < series.length[one]; n += 1) {
      const row = starts[one] + n;
      if (!has(row, "scored")) continue;
      const index = series.start[one] + n;
      if (!sums.has(index)) {
        sums.set(index, {
          index,
          n: 0,
          error: 0,
          abs: 0,
          y: 0,
          smape: 0,
          n_same: 0,
          same: 0,
          base: 0,
          same_y: 0,
        });
      }
      addPeriod(sums.get(index), row);
    }
  }
  const last = periodIndex(meta.last_period);
  return [...sums.values()].filter((sum) => last === null || sum.index <= last).sort((a, b) =>
    a.index - b.index
  );
}

function addPeriod(sum, row) {
  const y = Math.abs(at("y", row));
  const error = at("sum_error", row);
  sum.n += 1;
  sum.error += error;
  sum.abs += Math.abs(error);
  sum.y += y;
  sum.smape += periods.smape[row] / 1e4;
  const baseline = at("baseline_yhat", row);
  if (has(row, "comparable") && baseline !== null) {
    sum.n_same += 1;
    sum.same += Math.abs(error);
    sum.base += Math.abs(baseline - at("y", row));
    sum.same_y += y;
  }
}

function pooled(sums) {
  const total = { n: 0, error: 0, abs: 0, y: 0, smape: 0, n_same: 0, same: 0, base: 0, same_y: 0 };
  for (const sum of sums) for (const name of Object.keys(total)) total[name] += sum[name];
  return measured(total);
}

function measured(sum) {
  return {
    ...sum,
    wape: ratio(sum.abs, sum.y),
    smape: ratio(sum.smape, sum.n),
    bias: ratio(sum.error, sum.y),
    value_added: sum.same_y > 0 ? (sum.base - sum.same) / sum.same_y : null,
  };
}
