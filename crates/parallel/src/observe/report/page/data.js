// What is known of the run: for each worker its tasks, in columns, in the order in which they began.

const TASK_BYTES = 24;
const FAILED = 1 << 15;
const BINS_PER_DECADE = 8;
const SHORTEST_DECADE = -9;
const SLOWEST = 10;
// Parts that lie in more others are not drawn.
const DEEPEST = 3;

class Lane {
  constructor(worker) {
    this.worker = worker;
    this.name = `Worker ${worker}`;
    this.size = 0;
    this.sorted = true;
    // Parts of the tasks: those that lie in no other part, those in one other, and so on.
    this.parts = [];
    this.allocate(64);
  }

  allocate(capacity) {
    const grown = (Type, old) => {
      const column = new Type(capacity + 1);
      if (old) column.set(old);
      return column;
    };
    this.capacity = capacity;
    this.start = grown(Float64Array, this.start);
    this.run = grown(Float32Array, this.run);
    this.wait = grown(Float32Array, this.wait);
    this.index = grown(Uint32Array, this.index);
    this.flags = grown(Uint16Array, this.flags);
    this.label = grown(Uint32Array, this.label);
    // Up to each task: how long all before it ran, and how many failed. So any stretch of time is summed
    // up by two look-ups, however many tasks are in it.
    this.busyBefore = grown(Float64Array, this.busyBefore);
    this.failedBefore = grown(Uint32Array, this.failedBefore);
  }

  push(start, run, wait, index, flags, label) {
    if (this.size === this.capacity) this.allocate(this.capacity * 2);
    const i = this.size++;
    if (i > 0 && start < this.start[i - 1]) this.sorted = false;
    this.start[i] = start;
    this.run[i] = run;
    this.wait[i] = wait;
    this.index[i] = index;
    this.flags[i] = flags;
    this.label[i] = label;
    this.sumUp(i);
  }

  sumUp(i) {
    this.busyBefore[i + 1] = this.busyBefore[i] + this.run[i];
    this.failedBefore[i + 1] = this.failedBefore[i] + (this.flags[i] & FAILED ? 1 : 0);
  }

  // A worker runs one task after the other and tells in that order; somebody's own backend may not.
  sort() {
    if (this.sorted) return;
    const order = Uint32Array.from({ length: this.size }, (_, i) => i);
    order.sort((a, b) => this.start[a] - this.start[b]);
    for (const name of ["start", "run", "wait", "index", "flags", "label"]) {
      const old = this[name].slice(0, this.size);
      order.forEach((from, to) => { this[name][to] = old[from]; });
    }
    for (let i = 0; i < this.size; i++) this.sumUp(i);
    this.sorted = true;
  }

  // The first task that begins at this time or later, among those from `low` on.
  firstFrom(time, low = 0) {
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.start[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  end(i) { return this.start[i] + this.run[i]; }
  failed(i) { return (this.flags[i] & FAILED) !== 0; }
  attempt(i) { return this.flags[i] & ~FAILED; }

  // How long tasks ran before `time`; `next` is the first that begins at it or later.
  busyUntil(time, next) {
    if (next === 0) return 0;
    return this.busyBefore[next] - Math.max(0, this.end(next - 1) - time);
  }

  // The task that runs at this time, or -1.
  at(time) {
    const i = this.firstFrom(time + Number.EPSILON * Math.abs(time)) - 1;
    return i >= 0 && time <= this.end(i) ? i : -1;
  }
}

const emptyRun = () => ({
  number: null, title: "", live: false, ended: false, expected: null, jobs: 1, now: 0, first: 0, last: 0,
  partLabels: [], deepest: 0, partsDrawn: 0,
  counts: { finished: 0, failed: 0, retried: 0, busy: 0, lost: 0 },
  lanes: [], byWorker: new Map(), labels: [], labelled: false, running: [], drawn: 0,
  failures: [], failuresInAll: 0, failureOf: new Map(), incidents: [], batches: [], lines: [], linesInAll: 0,
  bins: new Uint32Array(15 * BINS_PER_DECADE), slowest: [], told: performance.now(),
});

let run = emptyRun();

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function laneOf(worker) {
  let lane = run.byWorker.get(worker);
  if (!lane) {
    lane = new Lane(worker);
    run.byWorker.set(worker, lane);
    run.lanes.push(lane);
    run.lanes.sort((a, b) => a.worker - b.worker);
  }
  return lane;
}

function binOf(seconds) {
  const bin = Math.floor((Math.log10(seconds) - SHORTEST_DECADE) * BINS_PER_DECADE + 1e-9);
  return Math.max(0, Math.min(run.bins.length - 1, bin));
}

function noteSlow(lane, seconds, index, start) {
  const slowest = run.slowest;
  if (slowest.length === SLOWEST && seconds <= slowest[SLOWEST - 1].seconds) return;
  slowest.push({ lane, seconds, index, start });
  slowest.sort((a, b) => b.seconds - a.seconds);
  slowest.length = Math.min(slowest.length, SLOWEST);
}

function addTasks(bytes, labelBytes) {
  const columns = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const labels = new DataView(labelBytes.buffer, labelBytes.byteOffset, labelBytes.byteLength);
  const labelled = labelBytes.length > 0;
  run.labelled ||= labelled;
  const count = bytes.length / TASK_BYTES;
  for (let i = 0, at = 0; i < count; i++, at += TASK_BYTES) {
    const start = columns.getFloat64(at, true);
    const seconds = columns.getFloat32(at + 8, true);
    const index = columns.getUint32(at + 16, true);
    const lane = laneOf(columns.getUint16(at + 20, true));
    const label = labelled ? labels.getUint32(i * 4, true) : 0;
    lane.push(start, seconds, columns.getFloat32(at + 12, true), index, columns.getUint16(at + 22, true), label);
    if (start < run.first) run.first = start;
    if (start + seconds > run.last) run.last = start + seconds;
    run.bins[binOf(seconds)]++;
    noteSlow(lane, seconds, index, start);
  }
  run.drawn += count;
}

// Parts lie in columns as tasks do; where those have how long they waited, these have nothing.
function addParts(bytes) {
  const columns = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += TASK_BYTES) {
    const depth = columns.getUint16(at + 22, true);
    if (depth >= DEEPEST) continue;
    const lane = laneOf(columns.getUint16(at + 20, true));
    lane.parts[depth] ??= new Lane(lane.worker);
    const start = columns.getFloat64(at, true);
    const seconds = columns.getFloat32(at + 8, true);
    lane.parts[depth].push(start, seconds, 0, columns.getUint32(at + 16, true), 0, columns.getUint32(at + 12, true));
    run.deepest = Math.max(run.deepest, depth + 1);
    run.partsDrawn++;
  }
}

const lastOf = (notes, more, most = 1000) => notes.concat(more).slice(-most);

// Takes in what is new.
function apply(update) {
  if (update.run !== run.number) {
    run = emptyRun();
    run.number = update.run;
  }
  run.title = update.title;
  run.live = update.live;
  run.ended = update.ended;
  run.expected = update.expected;
  run.jobs = update.n_jobs;
  run.now = update.now;
  run.told = performance.now();
  run.counts = update.counts;
  // One by one: there may be more of them than a function takes arguments.
  for (const label of update.labels) run.labels.push(label);
  run.running = update.running;
  for (const [worker, name] of update.workers) laneOf(worker).name = name;
  addTasks(bytesOf(update.tasks), bytesOf(update.labelled));
  for (const label of update.part_labels) run.partLabels.push(label);
  addParts(bytesOf(update.parts));
  for (const lane of run.lanes) {
    lane.sort();
    for (const parts of lane.parts) parts?.sort();
  }
  for (const failure of update.failures) run.failureOf.set(failure.index, failure);
  run.failures = lastOf(run.failures, update.failures);
  run.failuresInAll = update.failures_in_all;
  run.incidents = lastOf(run.incidents, update.incidents);
  run.batches = lastOf(run.batches, update.batches);
  run.lines = lastOf(run.lines, update.lines);
  run.linesInAll = update.lines_in_all;
}

// Seconds since the beginning, also between two updates.
function nowOfRun() {
  const since = run.live && !run.ended ? (performance.now() - run.told) / 1000 : 0;
  return Math.max(run.now + since, run.last);
}

// A time that people can read.
function duration(seconds, digits = 3) {
  const size = Math.abs(seconds);
  if (size === 0) return "0 s";
  if (size >= 120) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  const [unit, factor] = size >= 1 ? ["s", 1] : size >= 1e-3 ? ["ms", 1e3] : size >= 1e-6 ? ["µs", 1e6] : ["ns", 1e9];
  return `${Number((seconds * factor).toPrecision(digits))} ${unit}`;
}

const number = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");
const percent = (share) => `${Math.round(share * 100)} %`;
