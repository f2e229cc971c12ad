// Draws the lanes of /lab: a partition's log as cells, the newest at the right,
// and below them where each group goes on.

export const kept = 60; // cells of a lane that are remembered
const hues = [220, 24, 150, 330, 48, 190, 0, 268, 96, 300];
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const top = 5, tall = 26, firstRow = 54, row = 17;
const known = new Map(); // key -> its number, in the order in which keys came

export function css(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

// A key has one colour on the whole page, and the first ten have one of their own.
export function hueOf(key) {
  if (!known.has(key)) known.set(key, known.size);
  return hues[known.get(key) % hues.length];
}

// A group's colour follows the theme: light is how light it is there.
export function groupColour(number, light = "var(--mark-l)") { return `hsl(${hues[(number * 3 + 1) % hues.length]} 70% ${light})`; }

// What is drawn grows with the page's letters.
function zoom() { return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16; }

function height(lane) { return (firstRow + row * Math.max(1, lane.places.length) - 4) * zoom(); }

let drawing = false, last = 0, all = new Map();

// draw shows lanes as they are now, and moves what changed place.
export function draw(lanes) {
  all = lanes;
  for (const lane of lanes.values()) {
    const want = height(lane) + "px";
    if (lane.canvas.style.height !== want) lane.canvas.style.height = want;
  }
  if (drawing) return;
  drawing = true;
  last = 0;
  requestAnimationFrame(step);
}

// near moves a number towards where it has to be; far away, at once.
function near(from, to, part, far) { return still || from === undefined || Math.abs(to - from) < 0.02 || Math.abs(to - from) > far ? to : from + (to - from) * part; }

function step(now) {
  const passed = last ? Math.min(100, now - last) : 16;
  last = now;
  const part = Math.min(1, passed / 140);
  const paper = { ink: css("--ink"), quiet: css("--quiet"), line: css("--line"), ground: css("--surface"), warn: css("--warn"), mark: css("--mark-l"), fill: css("--cell-l"), edge: css("--cell-edge"), text: css("--cell-ink"), font: getComputedStyle(document.body).fontFamily };
  let moving = false;
  for (const lane of all.values()) {
    lane.at = near(lane.at, lane.state.end, part, 3 * kept);
    moving = moving || lane.at !== lane.state.end;
    for (const p of lane.places) {
      const at = near(lane.cursors.get(p.group), Math.max(0, p.committed), part, 4 * kept);
      lane.cursors.set(p.group, at);
      moving = moving || p.committed >= 0 && at !== p.committed;
    }
    if (paint(lane, paper, now)) moving = true;
  }
  drawing = moving;
  if (moving) requestAnimationFrame(step);
}

function pitch(width) { return width > 560 ? 52 : 38; }

// cellAt is the offset of the cell at a place of a lane's picture.
export function cellAt(lane, x) {
  const width = lane.canvas.clientWidth / zoom();
  return Math.floor(lane.at - (width - 16 - x / zoom()) / pitch(width));
}

// fit shortens a text from its left, where keys are alike.
function fit(g, text, width) {
  if (g.measureText(text).width <= width) return text;
  let n = text.length;
  while (n > 1 && g.measureText("…" + text.slice(-n)).width > width) n--;
  return "…" + text.slice(-n);
}

// paint draws one lane and says whether something in it still fades in.
function paint(lane, paper, now) {
  const { canvas } = lane;
  const larger = zoom(), ratio = larger * (devicePixelRatio || 1), width = canvas.clientWidth / larger, high = canvas.clientHeight / larger;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(high * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(high * ratio);
  }
  const g = canvas.getContext("2d"), cell = pitch(width), right = width - 16;
  const x = (offset) => right - (lane.at - offset) * cell;
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, high);
  g.lineWidth = 1;
  g.strokeStyle = paper.line;
  g.beginPath(); g.moveTo(0, top + tall / 2 + 0.5); g.lineTo(right, top + tall / 2 + 0.5); g.stroke();
  // Read by all groups that are here: paler.
  const cursors = lane.places.map((p) => p.committed);
  const read = cursors.length ? Math.min(...cursors) : -1;
  let young = false;
  g.textAlign = "center";
  g.textBaseline = "middle";
  for (const d of lane.dots) {
    const left = x(d.o);
    if (left < -cell || left > width) continue;
    const age = d.born === undefined || still ? 1 : Math.min(1, (now - d.born) / 260);
    if (age < 1) young = true;
    const size = 0.6 + 0.4 * age, w = (cell - 5) * size, h = tall * size;
    g.beginPath();
    g.roundRect(left + (cell - w) / 2, top + (tall - h) / 2, w, h, 5);
    g.fillStyle = paper.ground; g.fill(); // the line behind does not show through
    g.globalAlpha = (d.o < read ? 0.5 : 1) * age;
    if (d.k === undefined) {
      g.fillStyle = paper.ground; g.fill();
      g.setLineDash([3, 3]); g.strokeStyle = paper.quiet; g.stroke(); g.setLineDash([]);
    } else {
      const hue = hueOf(d.k);
      g.fillStyle = `hsl(${hue} 72% ${paper.fill})`; g.fill();
      g.strokeStyle = `hsl(${hue} 55% ${paper.edge})`; g.stroke();
      g.fillStyle = `hsl(${hue} 65% ${paper.text})`;
      g.font = "600 11px " + paper.font;
      g.fillText(fit(g, d.k, cell - 11), left + cell / 2, top + tall / 2 + 0.5);
    }
    g.globalAlpha = 1;
    g.fillStyle = paper.quiet;
    g.font = "10px " + paper.font;
    g.fillText(d.o, left + cell / 2, top + tall + 9);
  }
  // What was before is not forgotten, only not shown.
  if (lane.dots.length && x(lane.dots[0].o) <= cell && lane.dots[0].o > lane.state.start) {
    const fade = g.createLinearGradient(0, 0, 40, 0);
    fade.addColorStop(0, "#000"); fade.addColorStop(1, "#0000");
    g.globalCompositeOperation = "destination-out";
    g.fillStyle = fade; g.fillRect(0, 0, 40, top + tall + 16);
    g.globalCompositeOperation = "source-over";
  }
  g.strokeStyle = paper.quiet;
  g.setLineDash([2, 3]);
  g.beginPath(); g.moveTo(right + 5.5, 1); g.lineTo(right + 5.5, high); g.stroke();
  g.setLineDash([]);
  lane.places.forEach((p, i) => cursor(g, lane, p, firstRow + row * i, x, right, paper));
  return young;
}

// cursor draws where a group goes on: a tip below the cell, and a bar up to the
// end, which is what it still has to read.
function cursor(g, lane, p, y, x, right, paper) {
  g.font = "600 11px " + paper.font;
  g.textBaseline = "middle";
  g.fillStyle = p.moving ? paper.warn : groupColour(p.number, paper.mark);
  if (p.committed < 0) {
    g.textAlign = "right";
    g.globalAlpha = 0.7;
    g.fillText(fit(g, p.name, 180), right - 8, y);
    g.globalAlpha = 1;
    return;
  }
  const at = x(lane.cursors.get(p.group)), from = Math.max(10, Math.min(right + 2, at));
  g.globalAlpha = 0.3;
  g.beginPath(); g.roundRect(from, y - 2, Math.max(0, right + 3 - from), 4, 2); g.fill();
  g.globalAlpha = 1;
  g.beginPath();
  if (at < 10) { g.moveTo(2, y); g.lineTo(11, y - 5); g.lineTo(11, y + 5); } // it is further back than the lane goes
  else { g.moveTo(from, y - 8); g.lineTo(from - 5.5, y + 3); g.lineTo(from + 5.5, y + 3); }
  g.fill();
  const behind = lane.state.end - p.committed;
  const text = fit(g, p.name, 180) + (behind > 0 ? " −" + behind : "");
  const room = g.measureText(text).width + 14;
  if (from > room) { g.textAlign = "right"; g.fillText(text, from - 10, y); return; }
  g.textAlign = "left";
  const width = g.measureText(text).width;
  g.save();
  g.fillStyle = paper.ground;
  g.fillRect(from + 10, y - 7, width + 8, 14);
  g.restore();
  g.fillText(text, from + 14, y);
}
