// A few words beside a point of a plot while it is hovered or has the focus. Tables have the panel for that.

import { byId, el } from "./dom.js";

const card = byId("card");
const described = new WeakMap(); // element -> () => {title, value, lines: [[label, text], ...]}

/** Give an element a tooltip. */
export function describe(element, content) {
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
    el(
      "dl",
      {},
      lines.map(([label, text]) => [el("dt", {}, label), el("dd", {}, text)]),
    ),
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
