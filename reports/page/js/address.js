// The view in the page's address, so that a link shows what its sender saw: #clips?sort=FPS+step&selected=mpvss

const kept = new Map(); // name -> {read() -> text, list of texts or null, write(list of texts)}
let place = ""; // the part of the page that was gone to last

/**
 * Keep a part of the view in the address.
 * read: null where the part is as the page opens;  write: called before anything is drawn
 */
export function keep(name, read, write) {
  kept.set(name, { read, write });
}

/** Write the view into the address. */
export function remember() {
  const now = address();
  if (now !== (location.hash || "#")) history.replaceState(null, "", now);
}

function address() {
  const said = new URLSearchParams();
  for (const [name, { read }] of kept) for (const value of [read() ?? []].flat()) said.append(name, value);
  return `#${place}${said.size ? `?${said}` : ""}`;
}

/** Take the view from the address. */
export function restore() {
  const [id, query = ""] = location.hash.slice(1).split(/\?(.*)/s);
  const said = new URLSearchParams(query);
  for (const [name, { write }] of kept) write(said.getAll(name));
  place = id;
}

/** Go to the place that the address names. */
export function goThere() {
  const target = place && document.getElementById(place);
  if (!target) return;
  for (const other of document.querySelectorAll(".target")) other.classList.remove("target");
  target.classList.add("target");
  target.scrollIntoView();
}

// A link within the page goes there and leaves the rest of the view as it is.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  place = link.getAttribute("href").slice(1);
  history.pushState(null, "", address());
  goThere();
  document.getElementById(place)?.focus({ preventScroll: true });
});
