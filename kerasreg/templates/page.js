"use strict";
(() => {
  // Sorting: every table of class "sortable". Missing values stay last in both directions; a row's
  // open detail moves with it.
  const key = (row, column) => {
    const cell = row.cells[column];
    const sort = cell.dataset.sort;
    if (sort !== undefined && sort !== "") return Number(sort);
    const text = cell.textContent.trim();
    return text === "–" || text === "" ? null : text.toLowerCase();
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b
      : typeof a === "number" ? -1
      : typeof b === "number" ? 1
      : a < b ? -1 : a > b ? 1 : 0;
  const mainRows = (table) => [...table.tBodies[0].rows].filter((row) => !row.classList.contains("detail"));

  function sortBy(table, column, descending) {
    const rows = mainRows(table).map((row) => [key(row, column), row, detailOf(row)]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return descending ? compare(b, a) : compare(a, b);
    });
    for (const [, row, detail] of rows) {
      table.tBodies[0].append(row);
      if (detail) table.tBodies[0].append(detail);
    }
  }
  function detailOf(row) {
    const next = row.nextElementSibling;
    return next && next.classList.contains("detail") ? next : null;
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", head.dataset.sorted || "none");
      button.addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sortBy(table, column, descending);
      });
    });
  }

  const table = document.getElementById("trial-table");
  if (!table) return;
  const embedded = JSON.parse(document.getElementById("embedded").textContent);
  const names = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim().toLowerCase());

  // Filtering: words, and comparisons of a column with a number; all must hold.
  const form = document.querySelector(".filters");
  const text = document.getElementById("filter");
  const status = document.getElementById("status");
  const shown = document.getElementById("shown");
  const none = document.getElementById("none-shown");
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  const holds = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "=": (a, b) => a === b };
  function test(term) {
    const match = /^(.+?)(<=|>=|<|>|=)(.+)$/.exec(term);
    const column = match ? names.indexOf(match[1]) : -1;
    if (column >= 0) {
      const wanted = Number(match[3]);
      return (row) => {
        const value = key(row, column);
        if (Number.isNaN(wanted)) return match[2] === "=" && row.cells[column].textContent.trim().toLowerCase() === match[3];
        return typeof value === "number" && holds[match[2]](value, wanted);
      };
    }
    return (row) => row.textContent.toLowerCase().includes(term);
  }
  function filter() {
    const tests = text.value.trim().toLowerCase().split(/\s+/).filter(Boolean).map(test);
    const rows = mainRows(table);
    let count = 0;
    for (const row of rows) {
      const keep = (!status.value || row.dataset.status === status.value) && tests.every((check) => check(row));
      row.hidden = !keep;
      const detail = detailOf(row);
      if (detail) detail.hidden = !keep;
      count += keep;
    }
    shown.textContent = `${count} of ${rows.length} trials`;
    none.hidden = count > 0;
  }
  function clear() {
    text.value = "";
    status.value = "";
    filter();
  }
  text.addEventListener("input", filter);
  status.addEventListener("change", filter);
  document.getElementById("clear").addEventListener("click", () => { clear(); text.focus(); });
  filter();

  // A trial's curves, drawn when its row is opened.
  const NS = "http://www.w3.org/2000/svg";
  const make = (name, attributes, parent) => {
    const node = document.createElementNS(NS, name);
    for (const [attribute, value] of Object.entries(attributes)) node.setAttribute(attribute, value);
    if (parent) parent.append(node);
    return node;
  };
  const short = (value) => (value === 0 ? "0" : Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4 ? String(+value.toPrecision(3)) : value.toExponential(1));
  function mini(title, curves, step, epoch, parent) {
    const W = 300, H = 150, L = 44, R = 8, T = 8, B = 20;
    const drawn = curves.filter(([, values]) => values && values.some((value) => value !== null));
    if (!drawn.length) return;
    const box = document.createElement("div");
    box.className = "mini";
    const head = document.createElement("p");
    head.textContent = title + " ";
    const legend = document.createElement("span");
    legend.className = "key";
    legend.textContent = drawn.map(([name]) => (name === "training" ? "- - training" : name === "validation" ? "— validation" : "")).filter(Boolean).join("  ");
    head.append(legend);
    box.append(head);
    const all = drawn.flatMap(([, values]) => values.filter((value) => value !== null));
    let low = Math.min(...all), high = Math.max(...all);
    if (title !== "accuracy") {
      const sorted = [...all].sort((a, b) => a - b);
      high = Math.min(high, 6 * sorted[Math.floor(sorted.length / 2)] || high);
      low = Math.min(low, 0);
    }
    if (low === high) high = low + 1;
    const length = Math.max(...drawn.map(([, values]) => values.length));
    const x = (k) => L + (W - L - R) * (length > 1 ? k / (length - 1) : 0.5);
    const y = (value) => T + (H - T - B) * (1 - (Math.min(value, high) - low) / (high - low));
    const last = drawn.map(([name, values]) => `${name} ends at ${short(values.filter((v) => v !== null).at(-1))}`).join(", ");
    const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${title}: ${last}` });
    for (const value of [low, (low + high) / 2, high]) {
      make("line", { x1: L, x2: W - R, y1: y(value), y2: y(value), stroke: "var(--grid)" }, svg);
      make("text", { x: L - 5, y: y(value) + 4, "text-anchor": "end", "font-size": 11, fill: "var(--muted)" }, svg).textContent = short(value);
    }
    for (const [k, anchor] of length > 1 ? [[0, "start"], [length - 1, "end"]] : [[0, "middle"]]) {
      make("text", { x: x(k), y: H - 5, "text-anchor": anchor, "font-size": 11, fill: "var(--muted)" }, svg).textContent = (k === 0 ? "epoch " : "") + (k * step + 1);
    }
    if (epoch) {
      const place = x((epoch - 1) / step);
      make("line", { x1: place, x2: place, y1: T, y2: H - B, stroke: "var(--muted)", "stroke-dasharray": "2 3" }, svg);
    }
    for (const [name, values] of drawn) {
      let path = "", pen = "M";
      values.forEach((value, k) => {
        if (value === null) { pen = "M"; return; }
        path += `${pen}${x(k).toFixed(1)},${y(value).toFixed(1)}`;
        pen = "L";
      });
      make("path", { d: path, fill: "none", stroke: "var(--series-1)", "stroke-width": 1.8, "stroke-linecap": "round", "stroke-dasharray": name === "training" ? "5 4" : "none" }, svg);
    }
    box.append(svg);
    parent.append(box);
  }
  function draw(index, parent) {
    const { curves, epoch } = embedded.trials[index];
    const step = curves._step || 1;
    for (const name of ["data_loss", "accuracy", "mae"]) {
      mini(name.replace("_", " "), [["training", curves[name]], ["validation", curves["val_" + name]]], step, epoch, parent);
    }
    mini("penalty", [["penalty", curves.penalty]], step, epoch, parent);
    if (!parent.childElementCount) parent.textContent = "No curves were recorded for this trial.";
  }
  function toggle(row, open) {
    const button = row.querySelector(".open");
    if ((button.getAttribute("aria-expanded") === "true") === open) return;
    button.setAttribute("aria-expanded", String(open));
    const detail = detailOf(row);
    if (!open) { detail.remove(); return; }
    const next = document.createElement("tr");
    next.className = "detail";
    const cell = next.insertCell();
    cell.colSpan = names.length;
    const minis = document.createElement("div");
    minis.className = "minis";
    cell.append(minis);
    draw(Number(row.id.slice("trial-".length)), minis);
    row.after(next);
  }
  for (const row of mainRows(table)) {
    const cell = row.cells[0];
    const button = document.createElement("button");
    button.type = "button";
    button.className = "open";
    button.setAttribute("aria-expanded", "false");
    button.append(cell.firstElementChild);
    cell.prepend(button);
    button.addEventListener("click", () => toggle(row, button.getAttribute("aria-expanded") !== "true"));
  }

  // A dot in a figure leads to its trial.
  function show() {
    const match = /^#trial-(\d+)$/.exec(location.hash);
    const row = match && document.getElementById("trial-" + match[1]);
    if (!row) return;
    for (const other of table.querySelectorAll(".target")) other.classList.remove("target");
    if (row.hidden) clear();
    row.classList.add("target");
    toggle(row, true);
    row.scrollIntoView({ block: "center" });
    row.querySelector(".open").focus({ preventScroll: true });
  }
  addEventListener("hashchange", show);
  show();
})();
