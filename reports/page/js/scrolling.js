// A table that is wider than the page says so: a word above it, and a fade at the edge behind which there is more.

import { el } from "./dom.js";

function watch(place) {
  const cue = el("p", { class: "cue", hidden: true }, "Scroll sideways for more columns →");
  place.before(cue);
  const update = () => {
    const more = place.scrollWidth - place.clientWidth;
    cue.hidden = more <= 1;
    place.classList.toggle("more", more > 1 && place.scrollLeft < more - 1);
  };
  place.addEventListener("scroll", update, { passive: true });
  const seen = new ResizeObserver(update);
  seen.observe(place);
  seen.observe(place.firstElementChild);
  return update;
}

const watched = new WeakMap(); // a table's place -> what looks at it again
const look = () => {
  for (const place of document.querySelectorAll(".scroll")) {
    if (!watched.has(place)) watched.set(place, watch(place));
    watched.get(place)(); // at once: what is below must not move once it can be pressed
  }
};
new MutationObserver(look).observe(document.querySelector("main"), { childList: true, subtree: true });
look();
