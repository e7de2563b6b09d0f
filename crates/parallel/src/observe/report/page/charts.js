// The small charts, as SVG; each has a table that says the same.

const SVG = "http://www.w3.org/2000/svg";
const CHART = { width: 480, height: 170, left: 44, right: 8, top: 8, bottom: 22 };

function shape(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function chart(id, label) {
  const place = document.getElementById(id);
  place.replaceChildren();
  const svg = shape(place, "svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "img", "aria-label": label });
  const bottom = CHART.height - CHART.bottom;
  shape(svg, "line", { class: "axis", x1: CHART.left, x2: CHART.width - CHART.right, y1: bottom, y2: bottom });
  return svg;
}

const acrossBy = (share) => CHART.left + share * (CHART.width - CHART.left - CHART.right);
const upBy = (share) => CHART.height - CHART.bottom - share * (CHART.height - CHART.bottom - CHART.top);

function drawTimes() {
  const filled = [...run.bins.keys()].filter((bin) => run.bins[bin] > 0);
  // With some room around, so that tasks that are all alike are a bar and not a wall.
  const low = Math.max(0, (filled[0] ?? 0) - 2);
  const high = Math.min(run.bins.length, (filled.at(-1) ?? 0) + 3);
  const most = Math.max(1, ...run.bins);
  const edge = (bin) => 10 ** (SHORTEST_DECADE + bin / BINS_PER_DECADE);
  const svg = chart("times", "Histogram of how long tasks ran; the table below says the same");
  const wide = 1 / Math.max(1, high - low);
  const rows = [];
  for (let bin = low; bin < high && filled.length > 0; bin++) {
    const count = run.bins[bin];
    rows.push([`${duration(edge(bin), 2)} to ${duration(edge(bin + 1), 2)}`, number(count)]);
    if (count === 0) {
      rows.pop();
      continue;
    }
    const x = acrossBy((bin - low) * wide);
    const bar = shape(svg, "rect", {
      class: "bar", x, y: upBy(count / most), rx: 2,
      width: Math.max(1, acrossBy((bin - low + 1) * wide) - x - 2), height: upBy(0) - upBy(count / most),
    });
    shape(bar, "title", {}, `${rows.at(-1)[0]}: ${rows.at(-1)[1]} tasks`);
  }
  const every = Math.max(1, Math.ceil((high - low) / 6));
  for (let bin = low + every; bin < high; bin += every) {
    shape(svg, "text", { x: acrossBy((bin - low) * wide), y: CHART.height - 6, "text-anchor": "middle" }, duration(edge(bin), 2));
  }
  shape(svg, "text", { x: 0, y: CHART.top + 8 }, number(most));
  fillTable("times-table", "Tasks by how long they ran", ["Run time", "#Tasks"], rows);
}

function drawBatches() {
  const svg = chart("batches", "Batch sizes over time; the table below says the same");
  const end = Math.max(nowOfRun(), 1e-9);
  const largest = Math.max(1, ...run.batches.map(([, tasks]) => tasks));
  if (run.batches.length > 0) {
    let path = "";
    for (const [at, tasks] of run.batches) {
      const x = acrossBy(Math.max(0, Math.min(1, at / end)));
      path += path ? ` H${x} V${upBy(tasks / largest)}` : `M${x} ${upBy(tasks / largest)}`;
    }
    shape(svg, "path", { class: "curve", d: `${path} H${acrossBy(1)}` });
    shape(svg, "text", { x: 0, y: CHART.top + 8 }, number(largest));
  } else {
    shape(svg, "text", { x: acrossBy(0.5), y: upBy(0.5), "text-anchor": "middle" }, "One task at a time, or nobody told.");
  }
  shape(svg, "text", { x: acrossBy(0), y: CHART.height - 6 }, "0 s");
  shape(svg, "text", { x: acrossBy(1), y: CHART.height - 6, "text-anchor": "end" }, duration(end));
  const rows = run.batches.map(([at, tasks]) => [duration(at), number(tasks)]);
  fillTable("batches-table", "When batches became so large", ["#Time", "#Tasks"], rows);
}
