// One card for the whole page: where a figure comes from, shown while its element is hovered or has the focus.

const card = byId("card");
const described = new WeakMap(); // element -> () => {title, value, lines: [[label, text], ...]}

/** Give an element a card. */
function describe(element, content) {
  described.set(element, content);
  element.classList.add("described");
  return element;
}

function showCard(event) {
  const element = event.target.closest?.(".described");
  if (!element) return hideCard();
  const { title, value, lines } = described.get(element)();
  card.replaceChildren(
    el("p", { class: "card-title" }, title),
    value ? el("p", { class: "card-value" }, value) : null,
    el("dl", {}, lines.map(([label, text]) => [el("dt", {}, label), el("dd", {}, text)])),
  );
  card.hidden = false;
  element.setAttribute("aria-describedby", "card");
  const box = element.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = card;
  const below = box.bottom + 8 + height < innerHeight || box.top < height + 8;
  card.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
  card.style.top = `${Math.max(8, below ? box.bottom + 8 : box.top - height - 8)}px`;
}

function hideCard() {
  card.hidden = true;
  document.querySelector("[aria-describedby=card]")?.removeAttribute("aria-describedby");
}

document.addEventListener("pointerover", showCard);
document.addEventListener("focusin", showCard);
document.addEventListener("focusout", hideCard);
document.addEventListener("scroll", hideCard, { capture: true, passive: true });
document.addEventListener("keydown", (event) => event.key === "Escape" && hideCard());

/** The card of one figure of a row: the full figure, its interval, and where both come from. */
function figureCard(row, key) {
  const shown = column(key);
  const interval = row.intervals[key];
  const lines = [];
  if (interval?.low !== undefined) lines.push([`${100 * interval.level} % interval`, `${interval.low} to ${interval.high}`]);
  if (interval?.reason) lines.push(["no interval", interval.reason]);
  lines.push(...(row.provenance[shown.topic] ?? []), ...row.provenance.run);
  const figure = row.values[key];
  const bound = shown.topic === "gflops" && row.uncounted && figure !== null ? "at least " : "";
  return { title: `${row.method} · ${shown.label}`, value: `${bound}${exact(figure)}${figure === null ? "" : ` ${shown.unit}`}`, lines };
}

/** The card of a row as a whole. */
function rowCard(row) {
  const shown = state.group.columns.filter((one) => one.primary && row.values[one.key] !== null);
  const lines = shown.map((one) => [one.label, `${printed(row.values[one.key], one)} ${one.unit}`]);
  return { title: row.method, value: row.origin === "measured" ? "" : row.origin, lines: [...lines, ...row.provenance.run] };
}
