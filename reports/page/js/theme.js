// Light and dark: as the reader's system has it, until the button says otherwise.

import { keep, remember } from "./address.js";
import { byId } from "./dom.js";

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const now = () => root.style.colorScheme || (dark.matches ? "dark" : "light");

function drawTheme() {
  byId("theme").textContent = now() === "dark" ? "Light" : "Dark";
}

byId("theme").addEventListener("click", () => {
  root.style.colorScheme = now() === "dark" ? "light" : "dark";
  drawTheme();
  remember();
});
dark.addEventListener("change", drawTheme);
keep(
  "theme",
  () => root.style.colorScheme || null,
  ([theme = ""]) => {
    root.style.colorScheme = ["light", "dark"].includes(theme) ? theme : "";
    drawTheme();
  },
);
