// The page as a whole: what was there without scripts makes way; links to the sections; the view of the address.

import { show } from "./groups.js"; // first: what is kept of a group is read after it
import "./theme.js";
import "./filters.js";
import "./leaderboard.js";
import "./pareto.js";
import "./per_class.js";
import "./pair.js";
import "./frames.js";
import "./curves.js";
import "./latency.js";
import "./scrolling.js";
import { goThere } from "./address.js";
import { copied, copier } from "./copying.js";
import { byId, el } from "./dom.js";
import { data } from "./state.js";

document.documentElement.classList.add("scripted");
byId("unscripted").remove();

const sections = [...document.querySelectorAll("main > section")];
const links = sections.map(({ id, dataset }) => el("li", {}, el("a", { href: `#${id}` }, dataset.short)));
byId("sections").replaceChildren(el("ul", {}, links));

for (const command of document.querySelectorAll(".facts code")) {
  command.after(copier("the command", () => command.textContent));
}

byId("share").addEventListener("click", async () => {
  byId("share").textContent = (await copied(location.href)) ? "Link copied" : "Copy it from the address bar";
  setTimeout(() => {
    byId("share").textContent = "Copy link";
  }, 1500);
});

byId("colophon").textContent = `Written by vssbench ${data.version}. Everything is in this file; it loads nothing.`;
addEventListener("popstate", () => {
  show();
  goThere();
});
show();
goThere();
