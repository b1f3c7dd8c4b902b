"use strict";

const data = JSON.parse(document.getElementById("cells").textContent);
const holders = { modules: "modules", threads: "threads", interpreter: "interpreter", outside: "held from outside", garbage: "garbage" };
const narrowestPixels = 1.5;
const narrowestTextPixels = 34;

const part = (id) => document.getElementById(id);
const flame = part("flame");
const children = data.parent.map(() => []);
data.parent.forEach((parent, cell) => parent >= 0 && children[parent].push(cell));

let root = 0;
let widths = data.total;
let hits = [];
let visible = new Map();
let current = 0;

function size(bytes) {
  let unit = 0;
  for (; Math.abs(bytes) >= 1024 && unit < 4; unit++) bytes /= 1024;
  return (unit && Math.abs(bytes) < 100 ? bytes.toFixed(1) : bytes.toFixed(0)) + " " + ["B", "KiB", "MiB", "GiB", "TiB"][unit];
}

const number = (value) => value.toLocaleString("en");
const signed = (text, value) => (value < 0 ? "−" : value > 0 ? "+" : "±") + text(Math.abs(value));
const percent = (share) => (share > 0 && share < 0.005 ? "< 1 %" : Math.round(share * 100) + " %");
const shortName = (type) => type.slice(type.lastIndexOf(".") + 1);

function label(cell) {
  if (data.folded[cell]) return number(data.folded[cell]) + " smaller";
  return data.names[data.label[cell]] || (data.parent[cell] < 0 ? "everything" : "");
}

function typeOf(cell) {
  return data.names[data.type[cell]];
}

function chain(cell) {
  const above = [];
  for (; cell >= 0; cell = data.parent[cell]) above.unshift(cell);
  return above;
}

function numbers(cell) {
  const own = data.objects[cell];
  const total = data.total[cell];
  const texts = [];
  if (typeOf(cell)) texts.push(number(own) + " × " + typeOf(cell));
  texts.push(size(total) + (data.parent[cell] < 0 ? "" : " with its subtree, " + percent(total / (data.total[0] || 1)) + " of the heap"));
  if (data.compared) {
    const more = own - data.objectsBefore[cell];
    const growth = total - data.before[cell];
    texts.push(growth ? signed(size, growth) + (data.before[cell] ? "" : ", new") : "unchanged");
    if (more) texts.push(signed(number, more) + " objects");
  }
  if (typeOf(cell)) texts.push("retains " + size(data.retained[cell]));
  return texts.join(" · ");
}

function describe(cell) {
  const above = chain(cell);
  const steps = above.slice(-4).map(label);
  const name = shortName(typeOf(cell));
  if (name && !steps[steps.length - 1].endsWith(name)) steps.push(name);
  part("hovered-name").textContent = (above.length > 4 ? "… → " : "") + steps.join(" → ");
  part("hovered-numbers").textContent = numbers(cell);
}

function colour(element, cell) {
  if (!data.compared) {
    const top = data.names[data.label[chain(cell)[1] ?? 0]];
    const holder = Object.keys(holders).find((name) => holders[name] === top || name === top);
    if (holder) element.classList.add(holder);
    return;
  }
  const growth = data.total[cell] - data.before[cell];
  const share = growth / Math.max(data.total[cell], data.before[cell], 1);
  if (!growth) return;
  element.classList.add(growth > 0 ? "warm" : "cool");
  element.style.setProperty("--heat", Math.round(100 * Math.sqrt(Math.abs(share))) + "%");
}

function built(cell) {
  const element = document.createElement("div");
  element.className = "cell";
  element.dataset.cell = cell;
  element.tabIndex = -1;
  element.setAttribute("role", "treeitem");
  element.setAttribute("aria-label", label(cell) + ": " + numbers(cell));
  if (data.folded[cell]) element.classList.add("folded");
  else colour(element, cell);
  return element;
}

function write(element, cell, pixels) {
  element.classList.toggle("slim", pixels < narrowestTextPixels);
  element.replaceChildren();
  if (pixels < narrowestTextPixels) return;
  const name = shortName(typeOf(cell));
  element.append(label(cell));
  if (!name || label(cell).endsWith(name)) return;
  const type = document.createElement("small");
  type.textContent = name;
  element.append(type);
}

function byWidth(one, other) {
  return Boolean(data.folded[one]) - Boolean(data.folded[other]) || widths[other] - widths[one];
}

function boxes() {
  const pixels = flame.clientWidth;
  const found = new Map();
  const todo = [{ cell: root, left: 0, width: 1, depth: 0 }];
  while (todo.length) {
    const box = todo.pop();
    if (box.depth && box.width * pixels < narrowestPixels) continue;
    found.set(box.cell, box);
    let left = box.left;
    const below = [];
    for (const cell of children[box.cell].toSorted(byWidth)) {
      const width = (box.width * widths[cell]) / (widths[box.cell] || 1);
      below.unshift({ cell, left, width, depth: box.depth + 1 });
      left += width;
    }
    todo.push(...below);
  }
  return found;
}

function draw() {
  const found = boxes();
  for (const [cell, box] of visible) if (!found.has(cell)) box.element.remove();
  let deepest = 0;
  for (const [cell, box] of found) {
    box.element = visible.get(cell)?.element ?? built(cell);
    box.element.style.left = box.left * 100 + "%";
    box.element.style.width = box.width * 100 + "%";
    box.element.style.top = "calc(" + box.depth + " * var(--row))";
    box.element.setAttribute("aria-level", box.depth + 1);
    write(box.element, cell, box.width * flame.clientWidth);
    deepest = Math.max(deepest, box.depth);
  }
  putInOrder([...found.values()].map((box) => box.element));
  flame.style.height = "calc(" + (deepest + 1) + " * var(--row))";
  visible = found;
  mark();
  choose(visible.has(current) ? current : root);
}

function putInOrder(elements) {
  let next = null;
  for (const element of elements.reverse()) {
    if (element.parentNode !== flame || element.nextSibling !== next) flame.insertBefore(element, next);
    next = element;
  }
}

function choose(cell, focus) {
  const old = visible.get(current);
  if (old) old.element.tabIndex = -1;
  current = cell;
  visible.get(cell).element.tabIndex = 0;
  if (focus) visible.get(cell).element.focus({ preventScroll: false });
  describe(cell);
}

function zoom(cell, focus) {
  if (data.folded[cell]) return;
  root = cell;
  const above = chain(cell);
  part("trail").replaceChildren(...above.flatMap((step, index) => [index ? arrow() : "", crumb(step, step === cell)]));
  part("reset").hidden = cell === 0;
  current = cell;
  draw();
  if (focus) choose(cell, true);
}

function arrow() {
  const sign = document.createElement("i");
  sign.textContent = "→";
  return sign;
}

function crumb(cell, last) {
  const step = document.createElement("button");
  step.type = "button";
  step.textContent = label(cell);
  if (last) step.setAttribute("aria-current", "location");
  step.addEventListener("click", () => zoom(cell));
  return step;
}

function mark() {
  const hit = new Set(hits);
  flame.classList.toggle("searching", part("find").value.trim() !== "");
  for (const [cell, box] of visible) box.element.classList.toggle("hit", hit.has(cell));
}

function search() {
  const wanted = part("find").value.trim().toLowerCase();
  const matches = data.names.map((name) => wanted !== "" && name.toLowerCase().includes(wanted));
  const inside = [];
  let bytes = 0;
  hits = [];
  data.parent.forEach((parent, cell) => {
    const hit = !data.folded[cell] && (matches[data.label[cell]] || matches[data.type[cell]]);
    if (hit) hits.push(cell);
    if (hit && !inside[parent]) bytes += widths[cell];
    inside[cell] = hit || inside[parent];
  });
  const count = number(hits.length) + (hits.length === 1 ? " group, " : " groups, ") + size(bytes) + " (" + percent(bytes / (widths[0] || 1)) + ")";
  part("found").textContent = wanted === "" ? "" : hits.length ? count + "; Enter shows the next one" : "no match in the graph";
  hits.sort((one, other) => widths[other] - widths[one]);
  mark();
}

function searchKey(event) {
  if (event.key !== "Enter" || !hits.length) return;
  event.preventDefault();
  zoom(hits[(hits.indexOf(root) + 1) % hits.length]);
}

function find(text) {
  part("find").value = text;
  zoom(0);
  search();
  part("graph").scrollIntoView();
}

function sibling(cell, steps) {
  const depth = visible.get(cell).depth;
  const row = [...visible].filter(([, box]) => box.depth === depth).sort((one, other) => one[1].left - other[1].left);
  return row[row.findIndex(([other]) => other === cell) + steps]?.[0];
}

const moves = {
  ArrowDown: (cell) => children[cell].filter((child) => visible.has(child)).sort(byWidth)[0],
  ArrowUp: (cell) => (cell === root ? undefined : data.parent[cell]),
  ArrowLeft: (cell) => sibling(cell, -1),
  ArrowRight: (cell) => sibling(cell, 1),
  Home: () => root,
};

function flameKey(event) {
  if (event.key in moves) {
    const target = moves[event.key](current);
    if (target !== undefined) choose(target, true);
  } else if (event.key === "Enter" || event.key === " ") zoom(current, true);
  else if (event.key === "Escape") zoom(Math.max(data.parent[root], 0), true);
  else return;
  event.preventDefault();
}

function setMode(event) {
  const mode = event.currentTarget.dataset.mode;
  widths = mode === "growth" ? data.gained : data.total;
  for (const button of part("modes").children) button.setAttribute("aria-pressed", button.dataset.mode === mode);
  zoom(0);
  search();
}

function key(name, text) {
  const entry = document.createElement("span");
  const swatch = document.createElement("b");
  swatch.className = name + "-key";
  entry.append(swatch, text);
  return entry;
}

function writeLegend() {
  const keys = data.compared
    ? [key("hot", "grown"), key("cell", "unchanged"), key("cold", "shrunk")]
    : Object.keys(holders).filter((name) => children[0].some((cell) => [name, holders[name]].includes(label(cell)))).map((name) => key(name, holders[name]));
  part("legend").append(...keys);
}

const cellOf = (event) => event.target.closest?.(".cell")?.dataset.cell;

flame.addEventListener("click", (event) => cellOf(event) && zoom(Number(cellOf(event)), true));
flame.addEventListener("pointerover", (event) => cellOf(event) && describe(Number(cellOf(event))));
flame.addEventListener("pointerleave", () => describe(current));
flame.addEventListener("focusin", (event) => cellOf(event) && choose(Number(cellOf(event))));
flame.addEventListener("keydown", flameKey);
part("find").addEventListener("input", search);
part("find").addEventListener("keydown", searchKey);
part("reset").addEventListener("click", () => zoom(0, true));
for (const button of part("modes").children) button.addEventListener("click", setMode);
for (const button of document.querySelectorAll("[data-find]")) button.addEventListener("click", () => find(button.dataset.find));
new ResizeObserver(draw).observe(flame);
writeLegend();
zoom(0);
