// Charts: Altair's specifications with the rows of the moment.

const views = new Map();
const drawing = new Map();

// Draw a chart anew; calls for one element follow one another.
function draw(id, rows, span = null) {
  const next = (drawing.get(id) ?? Promise.resolve()).then(() => redraw(id, rows, span));
  drawing.set(id, next.catch((error) => fail(error)));
}

async function redraw(id, rows, span) {
  views.get(id)?.finalize();
  views.delete(id);
  if (!rows.length) {
    $(id).replaceChildren(
      element("p", { className: "nothing", textContent: "Nothing was scored here yet." }),
    );
    return;
  }
  const specification = structuredClone(charts[id]);
  specification.datasets = { rows };
  if (isKnown(rows[0].ds)) setPeriods(specification, rows, span);
  // A series without an interval is no fault: the library would warn of its empty axis.
  const options = { actions: false, renderer: "svg", logLevel: ERRORS_ONLY };
  const { view } = await window.vegaEmbed($(id), specification, options);
  views.set(id, view);
}

// Labels stand at first days of periods that are there. The periods of one series' charts run from the
// same first day to the same last one: one layer says so for the others, which share its scale.
function setPeriods(specification, rows, span) {
  const every = Math.ceil(rows.length / TICKS);
  const values = rows.filter((_, n) => (rows.length - 1 - n) % every === 0).map((row) => row.ds);
  const format = rows.at(-1).ds - rows[0].ds > 300 * DAY ? "%b ’%y" : "%-d %b";
  const layers = specification.layer.filter((one) => one.encoding?.x?.field === "ds");
  for (const { encoding } of layers) encoding.x.axis = { ...encoding.x.axis, values, format };
  if (!span) return;
  const { x } = layers.find((one) => !one.encoding.x2).encoding;
  x.scale = { ...x.scale, domain: span };
}
