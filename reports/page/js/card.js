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
    el("p", { class: "card-value" }, value),
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
function figureCard(row, title) {
  const { value, low, high, level, noInterval, minusBest } = row.cells[title];
  const lines = [];
  if (low !== undefined) lines.push([`${100 * level} % interval`, `${low} to ${high}`]);
  if (minusBest) lines.push(["minus the best", minusBest]);
  if (noInterval) lines.push(["no interval", noInterval]);
  lines.push(...(row.provenance[column(title).topic] ?? []), ...row.provenance.run);
  const bound = isBound(row, column(title)) ? "at least " : "";
  return { title: `${row.method} · ${title}`, value: value === null ? "not measured" : `${bound}${value}`, lines };
}

/** The card of a row as a whole. */
function rowCard(row) {
  const shown = state.group.columns.filter((one) => one.primary && figure(row, one.title) !== null);
  const lines = shown.map((one) => [one.title, row.cells[one.title].text]);
  return { title: row.method, value: row.origin === "measured" ? "" : row.origin, lines: [...lines, ...row.provenance.run] };
}
