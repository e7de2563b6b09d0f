// Tables and figures. Whatever comes from a task is set as text, never as markup.

const written = new Map();

function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// A head that begins with # is above numbers, one with ~ above what somebody's program said. A cell may be
// text, or a task to go to.
function fillTable(id, caption, heads, rows) {
  const table = document.getElementById(id);
  const content = JSON.stringify(rows.map((cells) => cells.map((cell) => cell.text ?? cell)));
  // What the keyboard is in stays as it is until it leaves.
  if (written.get(id) === content || table.contains(document.activeElement)) return;
  written.set(id, content);
  const kinds = heads.map((head) => ({ "#": "number", "~": "text" })[head[0]] ?? "");
  const top = make("tr");
  heads.forEach((head, column) => {
    const cell = make("th", head.replace(/^[#~]/, ""), kinds[column] === "number" ? "number" : "");
    cell.scope = "col";
    top.append(cell);
  });
  const head = make("thead");
  head.append(top);
  const body = make("tbody");
  for (const cells of rows) {
    const row = make("tr");
    cells.forEach((value, column) => {
      const cell = make("td", undefined, kinds[column]);
      if (value.go) {
        const button = make("button", value.text);
        button.type = "button";
        button.addEventListener("click", value.go);
        cell.append(button);
      } else {
        cell.textContent = value;
      }
      row.append(cell);
    });
    body.append(row);
  }
  table.replaceChildren(make("caption", rows.length > 0 ? caption : `${caption}: none`), head, body);
}

// To where a task is drawn, if it is.
function goTo(lane, i) {
  return () => {
    select(lane, i);
    canvas.focus();
    canvas.scrollIntoView({ block: "center" });
  };
}

// By the task's index: failures are few, so looking through the lane is quick enough.
function findTask(lane, index) {
  for (let i = 0; lane && i < lane.size; i++) if (lane.index[i] === index) return i;
  return -1;
}

function fillSummary() {
  const wall = nowOfRun();
  const workers = Math.max(run.jobs, run.lanes.length, 1);
  const { finished, failed, retried, busy, lost } = run.counts;
  const of = run.expected !== null && run.expected !== finished ? `of ${number(run.expected)}` : "";
  const tiles = [
    ["Wall time", duration(wall), ""],
    ["Busy", duration(busy), `on ${number(workers)} workers`],
    ["Efficiency", percent(busy / Math.max(wall * workers, 1e-12)), ""],
    ["Tasks", number(finished), of],
    ["Failures", number(failed), "", failed > 0],
    ["Retries", number(retried), "", retried > 0],
  ];
  const list = document.getElementById("summary");
  list.replaceChildren(...tiles.map(([name, value, small, bad]) => {
    const tile = make("div", undefined, bad ? "bad" : "");
    const figure = make("dd", value);
    if (small) figure.append(make("small", small));
    tile.append(make("dt", name), figure);
    return tile;
  }));
  const remarks = [];
  // What failed may never have begun; all else is drawn if there was room.
  if (run.ended && finished - failed > run.drawn) {
    remarks.push(`Only ${number(run.drawn)} of the tasks are drawn; all are counted.`);
  }
  if (lost > 0) remarks.push(`${number(lost)} events could not be told, so something is missing here.`);
  const remark = document.getElementById("remark");
  remark.hidden = remarks.length === 0;
  remark.textContent = remarks.join(" ");
}

function fillTables() {
  const wall = Math.max(nowOfRun(), 1e-12);
  fillTable("workers", "What each worker did", ["Worker", "#Tasks", "#Failures", "#Busy", "#Share of the time"],
    run.lanes.map((lane) => [
      lane.name, number(lane.size), number(lane.failedBefore[lane.size]), duration(lane.busyBefore[lane.size]),
      percent(lane.busyBefore[lane.size] / wall),
    ]));
  fillTable("slowest", "The tasks that ran for longest", ["Task", "Worker", "#Run time", "#Began at"],
    run.slowest.map(({ lane, seconds, index, start }) => {
      const i = lane.firstFrom(start);
      const text = nameOf(index, run.labelled && run.labels[lane.label[i]]);
      return [{ text, go: goTo(lane, i) }, lane.name, duration(seconds), duration(start)];
    }));
  const shown = run.failures.length < run.failuresInAll ? `The last ${number(run.failures.length)} of ${number(run.failuresInAll)}` : "What went wrong";
  fillTable("failures", shown, ["Task", "Worker", "#Attempts", "~It …"],
    run.failures.map((failure) => {
      const lane = run.byWorker.get(failure.worker);
      const go = () => {
        const i = findTask(lane, failure.index);
        if (i >= 0) goTo(lane, i)();
      };
      const text = nameOf(failure.index, failure.label);
      const began = failure.attempt > 0 && lane;
      return [began ? { text, go } : text, began ? lane.name : "never began", number(failure.attempt), failure.message];
    }));
  document.getElementById("incidents-section").hidden = run.incidents.length === 0;
  const workerName = (worker) => run.byWorker.get(worker)?.name ?? `Worker ${worker}`;
  fillTable("incidents", "Retries, and workers that died", ["#Time", "Worker", "~What"],
    run.incidents.map(({ at, worker, text }) => [duration(at), workerName(worker), text]));
  document.getElementById("lines-section").hidden = run.lines.length === 0;
  const last = run.lines.length < run.linesInAll ? `The last ${number(run.lines.length)} of ${number(run.linesInAll)} lines` : "Lines, as they came";
  fillTable("lines", last, ["Worker", "#Task", "To", "~Line"],
    run.lines.map(({ worker, task, stderr, text }) =>
      [workerName(worker), task === null ? "" : number(task), stderr ? "standard error" : "standard output", text]));
}

function fillLegend() {
  const entries = run.labelled
    ? run.labels.slice(0, PALETTE.length * 2).map((label, i) => [colorOf(i), label])
    : [[PALETTE[0], "a task"]];
  if (run.labels.length > entries.length) entries.push(["transparent", `and ${number(run.labels.length - entries.length)} more, in the same colours`]);
  if (run.counts.failed > 0) entries.push([FAILURE, "failed, hatched"]);
  const list = document.getElementById("legend");
  const content = JSON.stringify(entries);
  if (written.get("legend") === content) return;
  written.set("legend", content);
  list.replaceChildren(...entries.map(([color, text]) => {
    const item = make("li", text);
    const swatch = make("span");
    swatch.style.background = color;
    item.prepend(swatch);
    return item;
  }));
}
