// Pointer and keyboard on the timeline.

// So many parts of a task are told.
const MOST_NAMED = 20;

const tip = document.getElementById("tip");
const told = document.getElementById("selected");

const timeAt = (x) => {
  const { from, to } = view.range();
  return from + ((x - layout.left) / layout.width) * (to - from);
};

const laneAt = (y) => run.lanes[Math.floor((y - AXIS) / layout.laneHeight)];

const nameOf = (index, label) => `Task ${number(index)}${label ? ` (${label})` : ""}`;

function describe(lane, i) {
  const name = nameOf(lane.index[i], run.labelled && run.labels[lane.label[i]]);
  const attempt = lane.attempt(i) > 1 ? `, attempt ${lane.attempt(i)}` : "";
  const times = `ran ${duration(lane.run[i])}, waited ${duration(lane.wait[i])}, began at ${duration(lane.start[i], 5)}`;
  const failure = run.failureOf.get(lane.index[i]);
  const why = lane.failed(i) ? `\nFailed: ${failure ? failure.message : "its message is not kept"}` : "";
  return `${name}${attempt}, ${lane.name}: ${times}.${why}`;
}

// What is under the pointer: a task, or so many that they share a pixel.
function find(x, y) {
  const lane = laneAt(y);
  if (!lane || x < layout.left) return null;
  const half = (view.range().to - view.range().from) / layout.width;
  const low = lane.firstFrom(timeAt(x) - half);
  const high = lane.firstFrom(timeAt(x) + half, low);
  if (high - low > 1) return { lane, low, high };
  const at = lane.at(timeAt(x));
  const i = at >= 0 ? at : high - low === 1 ? low : -1;
  return i < 0 ? null : { lane, i, parts: partsAt(lane, timeAt(x), half) };
}

// The parts of a task that lie around a moment, from the outermost; where they share a pixel, the nearest.
function partsAt(lane, time, half) {
  return lane.parts.flatMap((parts) => {
    const low = parts.firstFrom(time - half);
    const at = parts.at(time);
    const i = at >= 0 ? at : low < parts.size && parts.start[low] <= time + half ? low : -1;
    return i < 0 ? [] : [`${run.partLabels[parts.label[i]] ?? "a part"}: ${duration(parts.run[i])}`];
  });
}

// All parts of a task that lie in no other part, for those who do not point.
function partsOf(lane, i) {
  const parts = lane.parts[0];
  const low = parts?.firstFrom(lane.start[i] - 1e-6) ?? 0;
  const high = parts?.firstFrom(lane.end(i), low) ?? 0;
  const named = [];
  for (let part = low; part < high && named.length < MOST_NAMED; part++) {
    if (parts.index[part] === lane.index[i]) named.push(`${run.partLabels[parts.label[part]] ?? "a part"} ${duration(parts.run[part])}`);
  }
  if (named.length === 0) return "";
  return `\nIn it: ${named.join(", ")}${high - low > named.length ? ", …" : ""}.`;
}

function describeFound(found) {
  if (found.i !== undefined) return [describe(found.lane, found.i), ...found.parts].join("\n");
  const { lane, low, high } = found;
  const failed = lane.failedBefore[high] - lane.failedBefore[low];
  const mean = (lane.busyBefore[high] - lane.busyBefore[low]) / (high - low);
  return `${number(high - low)} tasks here, ${lane.name}: ${number(failed)} failed, ${duration(mean)} each on average. Zoom in to tell them apart.`;
}

function hover(event) {
  const found = find(event.offsetX, event.offsetY);
  tip.hidden = !found;
  if (!found) return;
  tip.textContent = describeFound(found);
  const right = canvas.clientWidth - tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(event.offsetX + 12, right))}px`;
  tip.style.top = `${event.offsetY + 16}px`;
}

function select(lane, i) {
  selected = { lane, i };
  view.reveal(lane, i);
  told.textContent = describe(lane, i) + partsOf(lane, i);
  redraw();
}

// The task before or after the chosen one, in the same lane; or the first one that can be seen.
function step(by) {
  const lane = selected ? selected.lane : run.lanes.find((candidate) => candidate.size > 0);
  if (!lane || lane.size === 0) return;
  const i = selected ? selected.i + by : Math.min(lane.firstFrom(view.range().from), lane.size - 1);
  if (i >= 0 && i < lane.size) select(lane, i);
}

// The task at about the same time in a lane above or below.
function changeLane(by) {
  if (!selected) return step(0);
  const time = selected.lane.start[selected.i];
  for (let row = run.lanes.indexOf(selected.lane) + by; run.lanes[row]; row += by) {
    const lane = run.lanes[row];
    if (lane.size > 0) return select(lane, Math.min(lane.firstFrom(time), lane.size - 1));
  }
}

const KEYS = {
  ArrowLeft: () => view.move(-0.2),
  ArrowRight: () => view.move(0.2),
  "+": () => view.zoom(1.6),
  "=": () => view.zoom(1.6),
  "-": () => view.zoom(1 / 1.6),
  0: () => view.all(),
  Home: () => view.all(),
  ArrowUp: () => changeLane(-1),
  ArrowDown: () => changeLane(1),
  ",": () => step(-1),
  ".": () => step(1),
};

function listen() {
  let dragged = null;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    dragged = { x: event.offsetX, moved: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!dragged) return hover(event);
    const by = event.offsetX - dragged.x;
    if (Math.abs(by) < 3 && !dragged.moved) return;
    tip.hidden = true;
    dragged = { x: event.offsetX, moved: true };
    view.move(-by / layout.width);
  });
  canvas.addEventListener("pointerup", (event) => {
    const found = dragged && !dragged.moved && find(event.offsetX, event.offsetY);
    if (found) {
      if (found.i !== undefined) select(found.lane, found.i);
      else told.textContent = describeFound(found);
    }
    dragged = null;
  });
  canvas.addEventListener("pointercancel", () => { dragged = null; });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    tip.hidden = true;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) view.move(event.deltaX / layout.width);
    else view.zoom(Math.exp(-event.deltaY / 300), Math.max(0, (event.offsetX - layout.left) / layout.width));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const act = !event.ctrlKey && !event.altKey && !event.metaKey && KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  const buttons = {
    earlier: KEYS.ArrowLeft, later: KEYS.ArrowRight, "zoom-in": KEYS["+"], "zoom-out": KEYS["-"], whole: KEYS[0],
  };
  for (const [id, act] of Object.entries(buttons)) document.getElementById(id).addEventListener("click", act);
  new ResizeObserver(redraw).observe(canvas.parentElement);
}
