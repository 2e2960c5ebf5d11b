// Filter and sort. The page is complete without it.
"use strict";
(() => {
  const bodies = [...document.querySelectorAll(".board tbody")];
  const buttons = [...document.querySelectorAll(".counters button")];
  const search = document.querySelector(".search");
  const input = search.querySelector("input");
  const nothing = document.querySelector(".nothing");
  let wanted = "";

  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const body of bodies) {
      const text = body.dataset.text;
      const fits = (!wanted || body.dataset.verdict === wanted) && words.every((w) => text.includes(w));
      body.hidden = !fits;
      left += fits;
    }
    nothing.hidden = left > 0;
    for (const section of document.querySelectorAll("section.results")) {
      section.hidden = !section.querySelector("tbody:not([hidden])");
    }
  };

  for (const button of buttons) {
    button.disabled = false;
    button.addEventListener("click", () => {
      wanted = wanted === button.dataset.verdict ? "" : button.dataset.verdict;
      for (const b of buttons) b.setAttribute("aria-pressed", String(b.dataset.verdict === wanted));
      show();
    });
  }
  search.hidden = false;
  input.addEventListener("input", show);

  const sort = (header) => {
    const table = header.closest("table");
    const key = header.dataset.sort;
    const up = header.getAttribute("aria-sort") === "descending";
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (body) => body.dataset[key];
    const order = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (!x || !y) return (x ? 0 : 1) - (y ? 0 : 1);
      const way = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
      return up ? way : -way;
    };
    table.append(...[...table.tBodies].sort(order));
  };
  for (const header of document.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener("click", () => sort(header));
  }
})();
