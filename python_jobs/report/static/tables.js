// Elements and tables. Whatever comes from the data is set as text, never as HTML.

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function cellText(text) {
  return text === UNKNOWN ? element("span", { className: "unknown", textContent: UNKNOWN }) : text;
}

// A table of `rows`; a column is {title, text(row), number, sort, node(row)}.
function table(
  target,
  columns,
  rows,
  { nothing, open = null, chosen = null, sorted = null, onSort = null } = {},
) {
  const isAll = target.dataset.all === "true";
  if (!rows.length) {
    target.replaceChildren(element("p", { className: "nothing", textContent: nothing }));
    return;
  }
  const head = element("tr", {}, ...columns.map((column) => headCell(column, sorted, onSort)));
  const body = rows.slice(0, isAll ? rows.length : SHOWN).map((row) =>
    bodyRow(row, columns, open, chosen)
  );
  const made = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  const parts = [element("div", { className: "scroll" }, made)];
  if (rows.length > SHOWN) {
    const more = element("button", { type: "button", className: "more" });
    more.textContent = isAll ? `Show ${SHOWN} only` : `Show all ${count(rows.length)}`;
    more.addEventListener("click", () => {
      target.dataset.all = String(!isAll);
      table(target, columns, rows, { nothing, open, chosen, sorted, onSort });
    });
    parts.push(more);
  }
  target.replaceChildren(...parts);
}

function headCell(column, sorted, onSort) {
  const cell = element("th", { className: column.number ? "number" : "", scope: "col" });
  if (column.sort && onSort) {
    const button = element("button", { type: "button", textContent: column.title });
    button.addEventListener("click", () => onSort(column.sort));
    cell.append(button);
    if (sorted === column.sort) cell.setAttribute("aria-sort", "descending");
  } else {
    cell.textContent = column.title;
  }
  return cell;
}

function bodyRow(row, columns, open, chosen) {
  const cells = columns.map((column) => {
    const cell = element("td", {
      className: column.number ? "number" : column.long ? "text" : "short",
    });
    cell.append(column.node ? column.node(row) : cellText(column.text(row)));
    return cell;
  });
  const made = element("tr", {}, ...cells);
  if (open && isKnown(row.series)) {
    made.className = "open";
    made.tabIndex = 0;
    made.dataset.series = series.id[row.series];
    if (chosen === row.series) made.setAttribute("aria-selected", "true");
    made.addEventListener("click", () => open(row.series));
    made.addEventListener("keydown", (event) => {
      if (event.key === "Enter") open(row.series);
    });
  }
  return made;
}

const pills = (texts, className = "pill") =>
  element("span", {}, ...texts.map((text) => element("span", { className, textContent: text })));

function options(select, pairs, value) {
  select.replaceChildren(
    ...pairs.map(([key, text]) => new Option(text, key, false, key === value)),
  );
}
