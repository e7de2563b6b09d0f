// Draws the timeline. Tasks that can be told apart are drawn one by one; where there are more of them than
// pixels, each column of pixels shows how much of its time the worker was busy.

const canvas = document.getElementById("timeline");
const AXIS = 24;
const PALETTE = ["#0b5cad", "#8a5a00", "#1b7a4b", "#7b3fa0", "#00707a", "#a03a62", "#4b5fb8", "#5f6b1e"];
const FAILURE = "#b3261e";
const PART_HEIGHT = 18;

// Where things are, in pixels.
const layout = { left: 0, width: 1, laneHeight: 26, height: 0, colors: {} };

const colorOf = (label) => (run.labelled ? PALETTE[label % PALETTE.length] : PALETTE[0]);

function measure(pen) {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "soft", "line", "lane", "wait", "card", "accent"]) {
    layout.colors[name] = style.getPropertyValue(`--${name}`).trim();
  }
  const lanes = Math.max(1, run.lanes.length);
  // Where tasks have parts, each row of these takes some height.
  const height = 30 + PART_HEIGHT * run.deepest;
  layout.laneHeight = Math.max(2, Math.min(height, Math.floor((560 / 30) * height / lanes)));
  layout.height = AXIS + lanes * layout.laneHeight;
  const width = Math.max(200, canvas.parentElement.clientWidth);
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(layout.height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(layout.height * ratio);
    canvas.style.height = `${layout.height}px`;
  }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = "12px system-ui, 'DejaVu Sans', sans-serif";
  pen.textBaseline = "middle";
  const named = layout.laneHeight >= 14;
  const widest = Math.max(0, ...run.lanes.slice(0, 100).map((lane) => pen.measureText(lane.name).width));
  layout.left = named ? Math.min(180, Math.ceil(widest) + 12) : 0;
  layout.width = width - layout.left;
}

function drawTimeline() {
  const pen = canvas.getContext("2d");
  measure(pen);
  const { colors, left, width, laneHeight, height } = layout;
  const { from, to } = view.range();
  pen.clearRect(0, 0, left + width, height);
  drawAxis(pen, from, to);
  run.lanes.forEach((lane, row) => {
    const top = AXIS + row * laneHeight;
    const gap = laneHeight >= 8 ? 2 : 0;
    pen.fillStyle = colors.lane;
    pen.fillRect(left, top, width, laneHeight - gap);
    if (laneHeight >= 14) {
      pen.fillStyle = colors.ink;
      pen.fillText(lane.name, 2, top + laneHeight / 2, left - 8);
    }
    drawLane(pen, lane, { from, to, top, tall: laneHeight - gap });
  });
  drawIncidents(pen, from, to);
  drawSelected(pen, from, to);
  document.getElementById("range").textContent =
    `From ${duration(from)} to ${duration(to)}: ${duration(to - from)} of ${duration(nowOfRun() - run.first)}.`;
}

function drawAxis(pen, from, to) {
  const { colors, left, width, height } = layout;
  const rough = (to - from) / Math.max(2, width / 110);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const digits = Math.max(3, Math.ceil(Math.log10(Math.max(Math.abs(to), step) / step)) + 1);
  pen.fillStyle = colors.soft;
  for (let tick = Math.ceil(from / step); tick * step <= to; tick++) {
    const time = tick * step;
    const x = left + ((time - from) / (to - from)) * width;
    pen.fillRect(x, AXIS - 5, 1, 5);
    const text = duration(time, digits);
    if (x + pen.measureText(text).width + 4 < left + width) pen.fillText(text, x + 4, AXIS / 2);
    pen.globalAlpha = 0.15;
    pen.fillRect(x, AXIS, 1, height - AXIS);
    pen.globalAlpha = 1;
  }
}

function drawLane(pen, lane, place) {
  const { from, to } = place;
  const low = Math.max(0, lane.firstFrom(from) - 1);
  const high = lane.firstFrom(to, low);
  if (high - low > layout.width * 2) drawColumns(pen, lane, place);
  else drawTasks(pen, lane, low, high, place);
  const running = run.running.find(([worker]) => worker === lane.worker);
  if (running) drawRunning(pen, running[1], place);
}

function drawColumns(pen, lane, { from, to, top, tall }) {
  const step = run.lanes.length > 64 ? 4 : 1;
  const perPixel = (to - from) / layout.width;
  let next = lane.firstFrom(from);
  let busy = lane.busyUntil(from, next);
  for (let x = 0; x < layout.width; x += step) {
    const until = from + (x + step) * perPixel;
    const after = lane.firstFrom(until, next);
    const busyAfter = lane.busyUntil(until, after);
    const share = Math.min(1, (busyAfter - busy) / (step * perPixel));
    if (share > 0) {
      pen.globalAlpha = 0.12 + 0.88 * share;
      pen.fillStyle = layout.colors.accent;
      pen.fillRect(layout.left + x, top, step, tall);
    }
    if (lane.failedBefore[after] > lane.failedBefore[next]) {
      pen.globalAlpha = 1;
      pen.fillStyle = FAILURE;
      pen.fillRect(layout.left + x, top + tall * 0.6, step, tall * 0.4);
    }
    next = after;
    busy = busyAfter;
  }
  pen.globalAlpha = 1;
}

function drawTasks(pen, lane, low, high, place) {
  const { from, to, top } = place;
  // Of the height of a lane the parts of its tasks get what is below, if there is enough.
  const parted = lane.parts.length > 0 && place.tall >= 30 + PART_HEIGHT * run.deepest - 2;
  const tall = parted ? 28 : place.tall;
  const perSecond = layout.width / (to - from);
  const xOf = (time) => layout.left + Math.max(0, Math.min(to - from, time - from) * perSecond);
  pen.save();
  pen.beginPath();
  pen.rect(layout.left, top, layout.width, place.tall);
  pen.clip();
  if (parted) lane.parts.forEach((parts, depth) => drawParts(pen, parts, xOf, from, to, top + tall + PART_HEIGHT * depth));
  for (let i = low; i < high; i++) {
    const x = xOf(lane.start[i]);
    if (lane.end(i) < from) continue;
    const wide = Math.max(1, xOf(lane.end(i)) - x - (tall > 4 ? 0.5 : 0));
    const waited = xOf(Math.max(lane.start[i] - lane.wait[i], i > 0 ? lane.end(i - 1) : run.first));
    if (x - waited > 1) {
      pen.fillStyle = layout.colors.wait;
      pen.fillRect(waited, top + tall / 2 - 1, x - waited, 2);
    }
    const failed = lane.failed(i);
    pen.fillStyle = failed ? FAILURE : colorOf(lane.label[i]);
    pen.fillRect(x, top, wide, tall);
    if (failed && wide > 6) hatch(pen, x, top, wide, tall);
    if (tall >= 12 && wide > 24) {
      const text = run.labelled ? run.labels[lane.label[i]] : `${lane.index[i]}`;
      writeInside(pen, text, x, top, wide, tall);
    }
  }
  pen.restore();
}

// Parts of tasks, below these. Those that are narrower than a pixel share one.
function drawParts(pen, parts, xOf, from, to, top) {
  if (!parts) return;
  const low = Math.max(0, parts.firstFrom(from) - 1);
  const high = parts.firstFrom(to, low);
  let drawnTo = -1;
  for (let i = low; i < high; i++) {
    const x = xOf(parts.start[i]);
    const end = Math.max(x + 1, xOf(parts.end(i)));
    if (parts.end(i) < from || end <= drawnTo) continue;
    drawnTo = end;
    pen.fillStyle = PALETTE[(parts.label[i] + 3) % PALETTE.length];
    pen.globalAlpha = 0.85;
    pen.fillRect(x, top + 1, Math.max(1, end - x - 0.5), PART_HEIGHT - 2);
    pen.globalAlpha = 1;
    if (end - x > 24) writeInside(pen, shortest(run.partLabels[parts.label[i]] ?? "", end - x), x, top, end - x, PART_HEIGHT - 2);
  }
}

// What a part is called, or where there is no room, the values of its fields.
const shortest = (label, wide) => (label.length > roomIn(wide) ? label.slice(label.indexOf(" ") + 1) : label);

// So many letters fit.
const roomIn = (wide) => Math.floor((wide - 8) / 6);

// Failures are told apart by more than a colour.
function hatch(pen, x, top, wide, tall) {
  pen.save();
  pen.beginPath();
  pen.rect(x, top, wide, tall);
  pen.clip();
  pen.strokeStyle = "rgba(255, 255, 255, .45)";
  pen.beginPath();
  for (let at = x - tall; at < x + wide; at += 6) {
    pen.moveTo(at, top + tall);
    pen.lineTo(at + tall, top);
  }
  pen.stroke();
  pen.restore();
}

function writeInside(pen, text, x, top, wide, tall) {
  const room = roomIn(wide);
  const shown = text.length > room ? (room > 3 ? `${text.slice(0, room - 1)}…` : "") : text;
  pen.fillStyle = "#fff";
  pen.fillText(shown, x + 4, top + tall / 2 + 1, Math.max(1, wide - 6));
}

function drawRunning(pen, running, { from, to, top, tall }) {
  const perSecond = layout.width / (to - from);
  const start = Math.max(0, (running.started - from) * perSecond);
  const end = Math.min(layout.width, (nowOfRun() - from) * perSecond);
  if (end - start < 1) return;
  pen.strokeStyle = layout.colors.accent;
  pen.setLineDash([4, 3]);
  pen.strokeRect(layout.left + start + 0.5, top + 0.5, Math.max(1, end - start - 1), tall - 1);
  pen.setLineDash([]);
}

function drawIncidents(pen, from, to) {
  pen.fillStyle = layout.colors.ink;
  for (const incident of run.incidents) {
    const row = run.lanes.findIndex((lane) => lane.worker === incident.worker);
    if (row < 0 || incident.at < from || incident.at > to) continue;
    const x = layout.left + ((incident.at - from) / (to - from)) * layout.width;
    const top = AXIS + row * layout.laneHeight;
    pen.beginPath();
    pen.moveTo(x - 4, top);
    pen.lineTo(x + 4, top);
    pen.lineTo(x, top + 6);
    pen.fill();
  }
}

function drawSelected(pen, from, to) {
  if (!selected) return;
  const { lane, i } = selected;
  const row = run.lanes.indexOf(lane);
  if (row < 0) return;
  pen.strokeStyle = layout.colors.ink;
  pen.lineWidth = 2;
  const top = AXIS + row * layout.laneHeight;
  const perSecond = layout.width / (to - from);
  const x = layout.left + (lane.start[i] - from) * perSecond;
  if (x >= layout.left - 1 && x <= layout.left + layout.width) {
    pen.strokeRect(x, top, Math.max(2, lane.run[i] * perSecond), layout.laneHeight - 1);
  }
  pen.lineWidth = 1;
}
