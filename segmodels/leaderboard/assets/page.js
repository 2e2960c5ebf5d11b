// Filters, search, and views that can be linked. Table, sorting and paging are DataTables'.
const data = JSON.parse(document.getElementById("rows").textContent);
const form = document.querySelector(".filters");
const controls = Object.fromEntries([...form.querySelectorAll("[data-filter]")].map((c) => [c.dataset.filter, c]));
const counters = [...document.querySelectorAll(".counters button")];
const board = document.getElementById("board");
const heads = [...board.tHead.rows[0].cells].map((cell) => cell.textContent.split(" ")[0]);

const rows = data.rows.map((cells, index) => {
  const row = { index };
  data.repeated.forEach((name, i) => { row[name] = data.words[cells[i]]; });
  data.plain.forEach((name, i) => { row[name] = cells[data.repeated.length + i]; });
  row.text = [row.model, row.dataset, row.split, row.paper, row.title, row.metric, row.protocol, row.claimant,
    row.corruption, row.obstacle, row.side, row.disputed, row.arxiv, row.page, row.evidence, row.why].join(" ").toLowerCase();
  return row;
});
const meanings = Object.fromEntries(counters.map((b) => [b.dataset.status, b.title]));

const SIGNS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const esc = (value) => String(value).replace(/[&<>"']/g, (sign) => SIGNS[sign]);
const name = (value) => esc(value).replace(/[_-]/g, "$&<wbr>");
const small = (value) => (value ? `<small>${esc(value)}</small>` : "");
const number = (value, digits) => (value === null ? "–" : value.toFixed(digits));
const signed = (value, digits) => {
  const shown = Math.abs(value).toFixed(digits);
  return Number(shown) === 0 ? shown : (value > 0 ? "+" : "−") + shown;
};
const tone = (row) => esc(row.status) + (row.side ? " cost" : "");
const protocol = (row) => {
  const code = `<code title="${esc(row.about)}">${esc(row.protocol)}</code>`;
  return row.docs ? `<a href="${esc(row.docs)}">${code}</a>` : row.protocol ? code : row.parts ? "" : "not stated";
};
const interval = (row) => {
  if (row.low === null) return "–";
  const [low, dot, high] = (row.bar ?? []).map((place) => `${place / 10}%`);
  const tick = row.claimed === null ? "" : " ticked";
  const bar = row.bar ? `<span class="bar ${tone(row)}${tick}" data-low="${low}" data-dot="${dot}" data-high="${high}"></span>` : "";
  return `${bar}<span class="bounds">${number(row.low, row.digits)}–${number(row.high, row.digits)}</span>`;
};
// Whose network it is and, where others than its authors print the number, who.
const papers = (row) => [row.paper, row.claimant === "authors" ? "" : row.claimant].filter(Boolean).join(", ");

// One entry per column: what is shown, and what it is sorted by.
const COLUMNS = {
  Dataset: [(r) => name(r.dataset) + small(r.parts ? "statement" : r.split), (r) => r.dataset],
  Model: [(r) => `<a class="row" href="#row=${encodeURIComponent(r.page)}" aria-expanded="false">${name(r.model)}</a>${small(papers(r))}`, (r) => r.model],
  Metric: [(r) => esc(r.metric) + (r.corruption ? `<small>${name(r.corruption)}</small>` : ""), (r) => r.metric],
  Claimed: [(r) => number(r.claimed, r.printed), (r) => r.claimed],
  Verified: [(r) => (r.verified === null ? "–" : `<b>${number(r.verified, r.digits)}</b>`), (r) => r.verified],
  Gap: [(r) => (r.gap === null ? "–" : `<span class="gap ${tone(r)}">${signed(r.gap, r.digits)}</span>`), (r) => r.gap],
  Interval: [interval, (r) => (r.low === null ? null : r.high - r.low)],
  Status: [(r) => `<span class="status ${tone(r)}" title="${esc(r.side || meanings[r.status])}">${esc(r.status)}</span>${small([r.disputed, r.obstacle || r.side].filter(Boolean).join(", "))}`, (r) => r.status],
  Level: [(r) => esc(r.parts || r.level), (r) => r.level],
  Protocol: [protocol, (r) => r.protocol],
  Evidence: [(r) => (r.file ? `<a href="${esc(r.file)}"><code>${esc(r.evidence.slice(0, 10))}</code></a>` : "–"), (r) => r.evidence],
};
const NUMBERS = ["Claimed", "Verified", "Gap"];
// A statement has no numbers: its sentence and its outcome stand where they would.
const WIDE = { Model: ["Metric", "Claimed", "Verified", "Gap", "Interval"], Level: ["Protocol", "Evidence"] };
const widen = (cells) => Object.entries(WIDE).forEach(([head, covered]) => {
  cells[heads.indexOf(head)].colSpan = covered.length + 1;
  for (const one of covered) cells[heads.indexOf(one)].hidden = true;
});

// What stands below a row that somebody opened.
const linked = (address, text) => (address ? `<a href="${esc(address)}">${esc(text || address)}</a>` : esc(text));
const files = (folder, page, what) => `<a href="${folder}/${esc(encodeURIComponent(page))}.html">${what}</a>`;
const details = (row) => {
  const facts = {
    [row.parts ? "Outcome" : "Reason"]: esc(row.why).replace(/`([^`]+)`/g, "<code>$1</code>"),
    "Printed in": linked(row.url, row.source || row.title),
    Measured: row.about && esc(row.about),
    "Check it": row.rerun && `<code>${esc(row.rerun)}</code>`,
    More: `${files("claims", row.page, "classes, provenance, badge")} (a page that <code>segmodels leaderboard</code> writes)`,
  };
  return `<dl>${Object.entries(facts).filter(([, text]) => text).map(([name, text]) => `<dt>${name}</dt><dd>${text}</dd>`).join("")}</dl>`;
};

// What is missing comes last, whichever way the rest is sorted.
const compare = (way) => (a, b) => {
  const [x, y] = [a === null || a === "", b === null || b === ""];
  return x || y ? x - y : way * (typeof a === "number" ? a - b : a.localeCompare(b));
};
DataTable.ext.type.order["missing-last-asc"] = compare(1);
DataTable.ext.type.order["missing-last-desc"] = compare(-1);
DataTable.ext.errMode = "throw";

board.hidden = form.hidden = false;
const table = new DataTable(board, {
  data: rows,
  columns: heads.map((head) => ({
    data: null,
    type: "missing-last",
    className: NUMBERS.includes(head) ? "num" : "",
    cellType: head === "Model" ? "th" : "td",
    orderSequence: NUMBERS.includes(head) ? ["desc", "asc", ""] : ["asc", "desc", ""],
    render: (_, kind, row) => COLUMNS[head][kind === "display" ? 0 : 1](row),
    searchable: false,
    createdCell: (cell) => {
      cell.dataset.label = head;
      // Not as an attribute in the text: the page's policy allows no style that stands there.
      for (const bar of cell.querySelectorAll(".bar"))
        for (const [place, at] of Object.entries(bar.dataset)) bar.style.setProperty(`--${place}`, at);
      if (cell.textContent === "–") cell.classList.add("none");
      cell.setAttribute("role", head === "Model" ? "rowheader" : "cell");
      if (head === "Model") cell.scope = "row";
    },
  })),
  createdRow: (line, row, _, cells) => {
    line.setAttribute("role", "row");
    if (row.parts) widen(cells);
  },
  order: [], pageLength: 50, autoWidth: false, deferRender: true,
  layout: { topStart: null, topEnd: null, top: "info", bottomStart: "info", bottomEnd: "paging", bottom: null },
  language: {
    info: "Rows _START_ to _END_ of _TOTAL_", infoEmpty: "No rows", infoFiltered: "(_MAX_ in all)",
    zeroRecords: "No row fits. Clear the filters to see all.",
  },
});

const key = (of) => `${of.group}:${of.status}`;
const pressed = () => counters.filter((b) => b.ariaPressed === "true").map((b) => key(b.dataset));
// A link may name a verdict alone, which then means that of every group.
const press = (names) => counters.forEach((b) => {
  b.ariaPressed = String(names.includes(key(b.dataset)) || names.includes(b.dataset.status));
});
// Blocked rows stay folded until something asks for rows, whatever it asks.
let only = "";
const folded = document.getElementById("folded");
const asked = () => only || pressed().length || Object.values(controls).some((control) => control.value);
// What is typed and chosen; counters go on from there, so each tells what pressing it would show.
let fits = () => true;
const search = () => {
  const words = (controls.q.value.toLowerCase().match(/"[^"]+"|\S+/g) ?? []).map((w) => w.replaceAll('"', ""));
  const chosen = Object.entries(controls).filter(([name, c]) => name !== "q" && c.value).map(([name, c]) => [name, c.value]);
  fits = (row) => words.every((w) => row.text.includes(w)) && chosen.every(([name, value]) => row[name] === value);
  const left = rows.filter(fits).map(key);
  for (const button of counters) {
    const { total } = button.dataset;
    const all = !words.length && !chosen.length;
    button.querySelector("b").textContent = all ? total : left.filter((one) => one === key(button.dataset)).length;
    button.querySelector("small").textContent = all ? "" : ` of ${total}`;
  }
  if (folded) folded.hidden = Boolean(asked());
  table.draw();
};
table.search.fixed("filters", (_, row) => {
  const wanted = pressed();
  if (only) return row.page === only;
  if (row.place === "blocked" && !asked()) return false;
  return (!wanted.length || wanted.includes(key(row))) && fits(row);
});

// The view lives behind the # of the address.
const view = () => {
  const state = new URLSearchParams();
  for (const [name, control] of Object.entries(controls)) if (control.value) state.set(name, control.value);
  if (only) state.set("row", only);
  if (pressed().length) state.set("status", pressed().join(","));
  const [order] = table.order();
  if (order?.[1]) state.set("sort", `${heads[order[0]].toLowerCase()}:${order[1]}`);
  if (table.page()) state.set("page", table.page() + 1);
  return state.toString();
};
const show = () => {
  const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  for (const [name, control] of Object.entries(controls)) {
    control.value = state.get(name) ?? "";
    if (control.selectedIndex === -1) control.value = "";
  }
  press((state.get("status") ?? "").split(","));
  only = rows.some((row) => row.page === state.get("row")) ? state.get("row") : "";
  const [name, way] = (state.get("sort") ?? "").split(":");
  const column = heads.findIndex((head) => head.toLowerCase() === name);
  table.order(column >= 0 && ["asc", "desc"].includes(way) ? [[column, way]] : []);
  search();
  if (only) open(table.row((_, row) => row.page === only), true);
  const page = Math.trunc(Number(state.get("page"))) - 1;
  if (page > 0 && page < table.page.info().pages) table.page(page).draw("page");
};
const open = (line, wanted) => {
  if (wanted) line.child(details(line.data()), `more ${tone(line.data())}`).show();
  else line.child.remove();
  line.node().querySelector("a.row").ariaExpanded = String(wanted);
};
board.addEventListener("click", (event) => {
  const link = event.target.closest("a.row");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const line = table.row(link.closest("tr"));
  open(line, !line.child.isShown());
});
const marks = [...document.querySelectorAll("#scatter [data-row]")];
const remember = () => {
  const state = view();
  if (state === location.hash.slice(1) || (!state && !location.hash.includes("="))) return;
  history.replaceState(null, "", state ? `#${state}` : location.pathname + location.search);
};
const dim = () => {
  const left = new Set(table.rows({ search: "applied" }).indexes().toArray());
  for (const mark of marks) mark.classList.toggle("out", !left.has(Number(mark.dataset.row)));
};

const anew = () => { only = ""; search(); };
form.addEventListener("input", anew);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => { press([]); table.order([]); setTimeout(anew); });
for (const button of counters) {
  button.disabled = false;
  button.addEventListener("click", () => { button.ariaPressed = String(button.ariaPressed !== "true"); anew(); });
}
show();
dim();
table.on("draw", () => { remember(); dim(); });
addEventListener("hashchange", () => { if (location.hash.includes("=") || !location.hash) show(); });
