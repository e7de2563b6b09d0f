// Puts the page together: what is in it, or what the server tells.

const system = matchMedia("(prefers-color-scheme: dark)");
const themes = document.getElementById("theme");

function chosenTheme() {
  try { return localStorage.getItem("parallel-report-theme") ?? "system"; } catch { return "system"; }
}

function setTheme(theme) {
  themes.value = theme;
  document.documentElement.dataset.theme = theme === "system" ? (system.matches ? "dark" : "light") : theme;
  redraw();
}

function followTheme() {
  setTheme(chosenTheme());
  themes.addEventListener("change", () => {
    // A page of a file may not be allowed to remember.
    try { localStorage.setItem("parallel-report-theme", themes.value); } catch { /* it forgets */ }
    setTheme(themes.value);
  });
  system.addEventListener("change", () => setTheme(themes.value));
  // On paper it is always light.
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.theme = "light";
    drawTimeline();
  });
  addEventListener("afterprint", () => setTheme(themes.value));
}

const state = document.getElementById("state");

function tell(text, live) {
  if (state.textContent !== text) state.textContent = text;
  state.classList.toggle("live", live);
}

function fill() {
  document.title = run.title;
  document.getElementById("title").textContent = run.title;
  fillSummary();
  fillLegend();
  fillTables();
  drawTimes();
  drawBatches();
  redraw();
}

function watch() {
  tell("Waiting for the run…", true);
  const source = new EventSource("/events");
  // The server tells everything from the beginning.
  source.addEventListener("open", () => {
    run = emptyRun();
    selected = null;
  });
  source.addEventListener("message", (message) => {
    const before = run.number;
    apply(JSON.parse(message.data));
    if (run.number !== before) {
      selected = null;
      told.textContent = "";
      view.whole = true;
    }
    tell(run.ended ? "The run has ended." : "The run is going on.", !run.ended);
    fill();
  });
  source.addEventListener("closed", () => {
    source.close();
    tell(`${run.ended ? "The run has ended. " : ""}This page is served no more.`, false);
  });
  source.addEventListener("error", () => tell("No connection to the program; trying again…", false));
  setInterval(() => {
    if (run.number === null || run.ended || source.readyState !== EventSource.OPEN) return;
    fillSummary();
    redraw();
  }, 500);
}

const updates = document.querySelectorAll("script.update");
listen();
followTheme();
if (updates.length > 0) {
  for (const update of updates) {
    apply(JSON.parse(update.textContent));
    update.remove();
  }
  fill();
} else {
  watch();
}
drawTimeline();
const scriptTime = performance.now() - began;
