// The page as a whole: its title, the way around it, light and dark.

function drawHeader() {
  const { dataset, protocol, clips, frameCount, classes, fingerprint } = state.group;
  byId("title").textContent = dataset;
  const counts = [
    protocol ? `protocol ${protocol}` : "protocol not stated",
    clips ? `${clips} clips` : "published numbers",
    frameCount ? `${frameCount} frames` : "",
    classes.length ? `${classes.length} classes` : "",
    fingerprint ? `files ${fingerprint}` : "",
  ];
  byId("subtitle").textContent = counts.filter(Boolean).join(" · ");
  document.title = `${dataset} · vssbench`;
}

function drawGroups() {
  const plain = (group) => [group.dataset, group.protocol, group.clips ? "" : "published"].filter(Boolean).join(", ");
  const named = (group) => (data.groups.filter((other) => plain(other) === plain(group)).length > 1 ? `${plain(group)}, ${group.clips} clips, files ${group.fingerprint}` : plain(group));
  const chip = (group) => el("button", { type: "button", class: "chip", "aria-pressed": group === state.group, on: { click: () => open(group) } }, named(group));
  byId("groups").hidden = data.groups.length < 2;
  byId("groups").replaceChildren(...data.groups.map(chip));
}

/** Look at another group; nothing that was chosen in the last one means anything here. */
function open(group) {
  Object.assign(state, { group, text: "", sort: { title: null, up: false } });
  state.families.clear();
  state.selected.clear();
  byId("text").value = "";
  drawGroups();
  drawHeader();
  drawFamilies();
  refresh();
}

function drawSections() {
  const links = [...document.querySelectorAll("main > section")].map(({ id, dataset }) => el("li", {}, el("a", { href: `#${id}` }, dataset.short)));
  byId("sections").replaceChildren(el("ul", {}, links));
}

const dark = matchMedia("(prefers-color-scheme: dark)");
function drawTheme() {
  const now = document.documentElement.style.colorScheme || (dark.matches ? "dark" : "light");
  byId("theme").textContent = now === "dark" ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", `Switch to ${now === "dark" ? "light" : "dark"} colours`);
  return now;
}
byId("theme").addEventListener("click", () => {
  document.documentElement.style.colorScheme = drawTheme() === "dark" ? "light" : "dark";
  drawTheme();
});
dark.addEventListener("change", drawTheme);

byId("colophon").textContent = `Written by vssbench ${data.version}. Everything is in this file; it loads nothing.`;
drawTheme();
drawSections();
open(state.group);
