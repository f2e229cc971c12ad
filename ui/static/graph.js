// Draws the graphs: numbers come with the page, in data-points, and again each
// time that its live part is replaced.

const colours = ["--accent", "--good", "--warn", "--bad", "--quiet", "--c5", "--c6", "--c7"];
const drawn = new Map();

function style(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function short(v) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(v) >= size) return (v / size).toFixed(1).replace(/\.0$/, "") + unit;
  }
  return String(Math.round(v * 10) / 10);
}

function clock(seconds) { return new Date(seconds * 1000).toTimeString().slice(0, 8); }

function make(figure, points, width) {
  const ink = style("--quiet"), line = style("--line");
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "12px " + style("--sans") };
  const plot = new uPlot({
    width, height: figure.classList.contains("spark") ? 120 : 160, cursor: { y: false }, legend: { show: figure.dataset.legend !== "off", live: true },
    scales: { y: { range: (u, low, high) => [0, Math.max(1, high * 1.1)] } },
    axes: [{ ...axis, space: 90, values: (u, all) => all.map(clock) }, { ...axis, size: 48, values: (u, all) => all.map(short) }],
    series: [{ label: figure.dataset.time, value: (u, v) => v == null ? "–" : clock(v) }, ...points.names.map((label, i) => ({ label, stroke: style(colours[i]) || ink, width: 2, fill: points.names.length === 1 ? style("--soft") : undefined, points: { show: false }, value: (u, v) => v == null ? "–" : short(v) }))],
  }, [points.times, ...points.values], figure);
  return { plot, names: points.names.join("\n"), width, ground: style("--ground") };
}

function draw() {
  for (const figure of document.querySelectorAll("figure[data-graph]")) {
    const source = document.getElementById(figure.dataset.graph);
    const points = source ? JSON.parse(source.dataset.points) : { times: [] };
    figure.classList.toggle("waiting", points.times.length < 2);
    if (points.times.length < 2) continue;
    const width = figure.clientWidth - 32;
    const old = drawn.get(figure);
    if (old && old.names === points.names.join("\n") && old.width === width && old.ground === style("--ground")) {
      old.plot.setData([points.times, ...points.values]);
      continue;
    }
    if (old) old.plot.destroy();
    drawn.set(figure, make(figure, points, width));
  }
}

draw();
document.addEventListener("htmx:after:swap", draw);
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
