for (const table of document.querySelectorAll("table[data-shown]")) {
  const body = table.tBodies[0];
  const filter = table.closest("section").querySelector(".filter");
  const most = Number(table.dataset.shown);
  const more = document.createElement("button");
  let all = false;

  const show = () => {
    const wanted = filter ? filter.value.trim().toLowerCase() : "";
    let matching = 0;
    for (const row of body.rows) {
      const fits = row.cells[0].textContent.toLowerCase().includes(wanted);
      row.hidden = !fits || (matching >= most && !all);
      matching += fits;
    }
    more.hidden = all || matching <= most;
    more.textContent = "Show all " + number(matching);
  };

  const sort = (heading) => {
    const column = heading.cellIndex;
    const down = heading.getAttribute("aria-sort") ? heading.getAttribute("aria-sort") !== "descending" : column > 0;
    const value = (row) => (column ? Number(row.cells[column].dataset.value) : row.cells[0].textContent);
    const order = (one, other) => (column ? value(one) - value(other) : value(one) < value(other) ? -1 : 1);
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...[...body.rows].sort((one, other) => (down ? order(other, one) : order(one, other))));
    show();
  };

  for (const heading of table.tHead.rows[0].cells) {
    heading.querySelector("button").addEventListener("click", () => sort(heading));
  }
  filter?.addEventListener("input", show);
  more.type = "button";
  more.className = "more";
  more.addEventListener("click", () => {
    all = true;
    show();
  });
  table.parentNode.after(more);
  show();
}
