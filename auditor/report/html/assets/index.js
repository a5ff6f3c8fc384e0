"use strict";
(() => {
  const body = document.querySelector("tbody");
  const rows = Array.from(body.rows, (row) => ({ row, text: row.textContent.toLowerCase() }));
  const search = document.getElementById("search");
  const selects = ["verdict", "track", "legality"].map((name) => document.getElementById(name));
  const count = document.getElementById("count");
  const nothing = document.getElementById("nothing");
  const collator = new Intl.Collator("en", { numeric: true });

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of rows) {
      const fits = words.every((word) => text.includes(word))
        && selects.every((select) => !select.value || row.dataset[select.id] === select.value);
      row.hidden = !fits;
      shown += fits;
    }
    nothing.hidden = shown > 0;
    count.textContent = `${shown} of ${rows.length}`;
  };

  const valueOf = (cell) => {
    const text = cell.dataset.sort ?? cell.textContent;
    const number = Number(text);
    return text !== "" && Number.isFinite(number) ? number : text;
  };

  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    if (typeof a === "number" && typeof b === "number") return a - b;
    return collator.compare(String(a), String(b));
  };

  const sort = (header) => {
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of header.parentElement.cells) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const at = header.cellIndex;
    const keyed = rows.map((entry) => ({ ...entry, key: valueOf(entry.row.cells[at]) }));
    keyed.sort((a, b) => (a.key === "" || b.key === "" ? compare(a.key, b.key) : (down ? -1 : 1) * compare(a.key, b.key)));
    body.append(...keyed.map((entry) => entry.row));
  };

  search.addEventListener("input", filter);
  for (const select of selects) select.addEventListener("change", filter);
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  document.querySelector("thead").addEventListener("click", (event) => {
    const header = event.target.closest("th");
    if (header) sort(header);
  });
  filter();
})();
