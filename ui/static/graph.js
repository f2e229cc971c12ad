// Draws the graphs: numbers come with the page, in data-points, and again each
// time that its live part is replaced.

const shortest = 60; // seconds that a graph spans at least
const steps = [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((e) => n * 10 ** e)).sort((a, b) => a - b);
const seconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600];
const drawn = new Map();

function style(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
function letters() { return parseFloat(getComputedStyle(document.documentElement).fontSize); }

function short(v, unit) {
  const at = [[1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([size]) => Math.abs(v) >= size) ?? [1, ""];
  const number = (Math.round(v / at[0] * 10) / 10).toLocaleString(document.documentElement.lang);
  return unit ? number + "\u00a0" + at[1] + unit : number + at[1];
}

function clock(at) { return new Date(at * 1000).toTimeString().slice(0, 8); }

// Where nobody points at, the legend has the newest values.
function newest(plot) {
  if (plot.cursor.idx == null) plot.setLegend({ idx: plot.data[0].length - 1 }, false);
}

function make(figure, points, width) {
  const ink = style("--quiet"), line = style("--line"), size = letters() / 16, unit = figure.dataset.unit;
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: 12 * size + "px " + style("--sans"), gap: 8 * size };
  return new uPlot({
    width, height: (figure.classList.contains("spark") ? 120 : 168) * size, padding: [8 * size, 4, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false } }, legend: { show: figure.dataset.legend !== "off", live: true },
    scales: { x: { range: (u, low, high) => [Math.min(low, high - shortest), high] }, y: { range: (u, low, high) => [0, Math.max(1, high * 1.1)] } },
    axes: [{ ...axis, grid: { show: false }, incrs: seconds, space: 96 * size, size: 28 * size, values: (u, all) => all.map(clock) },
      { ...axis, incrs: steps, space: 32 * size, size: (unit ? 64 : 44) * size, values: (u, all) => all.map((v) => short(v, unit)) }],
    series: [{ label: figure.dataset.time, value: (u, v) => v == null ? "–" : clock(v) },
      ...points.names.map((label, i) => ({ label, stroke: style("--g" + (i % 8 + 1)) || ink, width: 1.5 * size, fill: points.names.length === 1 ? style("--soft") : undefined, points: { show: false }, value: (u, v) => v == null ? "–" : short(v, unit) }))],
    hooks: { setCursor: [newest], ready: [newest] },
  }, [points.times, ...points.values], figure);
}

function draw() {
  for (const figure of document.querySelectorAll("figure[data-graph]")) {
    const source = document.getElementById(figure.dataset.graph);
    const points = source ? JSON.parse(source.dataset.points) : { times: [] };
    figure.classList.toggle("drawn", points.times.length > 1);
    if (points.times.length < 2) continue;
    const width = figure.clientWidth - 2 * parseFloat(getComputedStyle(figure).paddingLeft);
    const look = [points.names, width, letters(), style("--ground")].join("\n"), old = drawn.get(figure);
    if (old?.look === look) {
      old.plot.setData([points.times, ...points.values]);
      newest(old.plot);
      continue;
    }
    old?.plot.destroy();
    drawn.set(figure, { look, plot: make(figure, points, width) });
  }
}

draw();
document.addEventListener("htmx:after:swap", draw);
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
