// Which group of rows is looked at, of those that must not be compared with each other.

import { keep, remember, restore } from "./address.js";
import { button, byId, counted } from "./dom.js";
import { closePanel } from "./panel.js";
import { data, state } from "./state.js";
import { changed } from "./views.js";

keep(
  "group",
  () => (state.group === data.groups[0] ? null : String(data.groups.indexOf(state.group))),
  ([index = "0"]) => {
    state.group = data.groups[Number(index)] ?? data.groups[0];
  },
);

function drawHeader() {
  const { heading, protocol, clips, frameCount, classes, fingerprint } = state.group;
  byId("title").textContent = heading;
  const counts = [
    protocol ? `protocol ${protocol}` : "protocol not stated",
    clips ? counted(clips, "clip") : "published numbers",
    frameCount ? counted(frameCount, "frame") : "",
    classes.length ? `${classes.length} classes` : "",
    fingerprint ? `files ${fingerprint}` : "",
  ];
  byId("subtitle").textContent = counts.filter(Boolean).join(" · ");
  document.title = `${heading} · vssbench`;
  for (const [index, facts] of [...document.querySelectorAll(".facts")].entries()) {
    facts.hidden = data.groups[index] !== state.group;
  }
}

function drawGroups() {
  const plain = (group) => [group.heading, group.protocol, group.clips ? "" : "published"].filter(Boolean).join(", ");
  const twins = (group) => data.groups.filter((other) => plain(other) === plain(group)).length > 1;
  const files = (group) => `, ${counted(group.clips, "clip")}, files ${group.fingerprint}`;
  const named = (group) => plain(group) + (twins(group) ? files(group) : "");
  const chip = (group, index) => {
    const press = () => {
      openGroup(group);
      byId("groups").children[index].focus();
    };
    return button(named(group), press, { class: "chip", "aria-pressed": group === state.group });
  };
  byId("groups").hidden = data.groups.length < 2;
  byId("groups").replaceChildren(...data.groups.map(chip));
}

/** Look at another group; nothing that was chosen in the last one means anything here. */
function openGroup(group) {
  state.group = group;
  history.pushState(null, "", group === data.groups[0] ? "#" : `#?group=${data.groups.indexOf(group)}`);
  show();
  remember();
}

/** Draw the page as its address has it. */
export function show() {
  restore();
  closePanel();
  drawGroups();
  drawHeader();
  changed();
}
