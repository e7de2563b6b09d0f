// Which stretch of time the timeline shows.

const view = {
  // The whole run, as long as nobody chose another stretch.
  whole: true,
  from: 0,
  to: 1,

  limits() {
    const to = Math.max(nowOfRun(), run.first + 1e-6);
    return { from: run.first, to };
  },

  range() {
    return this.whole ? this.limits() : { from: this.from, to: this.to };
  },

  show(from, to) {
    const all = this.limits();
    const length = Math.min(Math.max(to - from, 1e-7), all.to - all.from);
    from = Math.min(Math.max(from, all.from), all.to - length);
    this.whole = length >= (all.to - all.from) * 0.9999;
    this.from = from;
    this.to = from + length;
    redraw();
  },

  // By a factor, around a place between 0 and 1.
  zoom(factor, place = 0.5) {
    const { from, to } = this.range();
    const length = (to - from) / factor;
    const middle = from + (to - from) * place;
    this.show(middle - length * place, middle + length * (1 - place));
  },

  // By a part of what is shown.
  move(part) {
    const { from, to } = this.range();
    const by = (to - from) * part;
    this.show(from + by, to + by);
  },

  all() {
    this.whole = true;
    redraw();
  },

  // So that a task can be seen, with something around it.
  reveal(lane, i) {
    const { from, to } = this.range();
    const start = lane.start[i];
    const length = Math.max(lane.run[i], 1e-7);
    const inside = start >= from && start + length <= to && length > (to - from) / 200;
    if (!inside) this.show(start - length * 5, start + length * 6);
  },
};

// The task that is chosen, as a lane and a place in it.
let selected = null;

let asked = false;

// Draws once before the next picture, however often it is asked for.
function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    drawTimeline();
  });
}
