// The picture of /lab: a lane for each partition, a dot for each record, a
// marker for each group. Frames come from the server as events; here they are
// only drawn.

const root = document.getElementById("lab");
const texts = root.dataset;
const lanesBox = document.getElementById("lanes");
const groupsBox = document.getElementById("lab-groups");
const eventsBox = document.getElementById("lab-events");
const lanes = new Map(); // topic/partition -> lane
const kept = 48; // dots of a lane
const gap = 18; // pixels from dot to dot
const keyColours = ["#3b6fd8", "#c2410c", "#15803d", "#a21caf", "#b45309", "#0e7490", "#be123c", "#6d28d9", "#4d7c0f", "#1d4ed8"];
const groupColours = ["#c2410c", "#15803d", "#a21caf", "#0e7490", "#be123c", "#6d28d9", "#b45309", "#4d7c0f"];
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
let paused = false, waiting = null, groupOrder = [];

function element(name, className, text) {
  const el = document.createElement(name);
  if (className) el.className = className;
  if (text !== undefined) el.textContent = text;
  return el;
}

function style(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

// A lane is a label, a canvas and who reads it.
function makeLane(state) {
  const box = element("div", "lane");
  const label = element("div", "lane-label");
  const name = element("strong", "", state.topic + " · " + state.partition);
  const leader = element("span", "quiet small");
  label.append(name, leader);
  const canvas = element("canvas");
  canvas.setAttribute("role", "img");
  const owners = element("div", "lane-owners small");
  box.append(label, canvas, owners);
  lanesBox.append(box);
  return { box, leader, canvas, owners, dots: [], at: state.end, state, places: [] };
}

function frame(f) {
  const present = new Set();
  for (const state of f.lanes) {
    const id = state.topic + "/" + state.partition;
    present.add(id);
    let lane = lanes.get(id);
    if (!lane) lanes.set(id, lane = makeLane(state));
    if (state.end < lane.state.end) { lane.dots = []; lane.at = state.end; } // created anew
    lane.state = state;
    lane.dots.push(...state.dots);
    lane.dots = lane.dots.filter((d) => d.o >= state.start).slice(-kept);
    lane.leader.textContent = texts.leader + " " + state.leader + (state.replicas.length > 1 ? " · ISR " + state.isr.join(",") + " / " + state.replicas.join(",") : "");
    lane.places = [];
  }
  for (const [id, lane] of lanes) {
    if (!present.has(id)) { lane.box.remove(); lanes.delete(id); }
  }
  for (const g of f.groups) if (!groupOrder.includes(g.id)) groupOrder.push(g.id);
  for (const g of f.groups) {
    for (const p of g.places) {
      const lane = lanes.get(p.topic + "/" + p.partition);
      if (lane) lane.places.push({ ...p, group: g.id, state: g.state, colour: colour(g.id) });
    }
  }
  showBrokers(f.brokers);
  for (const lane of lanes.values()) showOwners(lane);
  showGroups(f.groups);
  showEvents(f.events);
  schedule();
}

function colour(group) { return groupColours[groupOrder.indexOf(group) % groupColours.length]; }

function showOwners(lane) {
  lane.owners.replaceChildren(...lane.places.map((p) => {
    const el = element("span", "owner");
    el.style.setProperty("--of", p.colour);
    const moving = p.state !== "Stable" && p.state !== "Empty";
    el.textContent = p.group + ": " + (moving ? texts.rebalance : p.owner || texts.free);
    el.classList.toggle("moving", moving);
    return el;
  }));
  const lags = lane.places.map((p) => p.group + " " + (p.committed < 0 ? "–" : p.committed)).join(", ");
  lane.canvas.setAttribute("aria-label", texts.label.replace("%t", lane.state.topic).replace("%p", lane.state.partition).replace("%e", lane.state.end).replace("%g", lags || "–"));
}

// With several brokers: which run, and how many of the lanes each leads.
function showBrokers(brokers) {
  if (brokers.length < 2) return;
  const box = document.getElementById("lab-brokers");
  box.replaceChildren(...brokers.map((b) => {
    const leads = [...lanes.values()].filter((l) => l.state.leader === b.id).length;
    const el = element("span", "badge " + (b.running ? "s-Stable" : "s-Dead"), texts.broker + " " + b.id + " · " + (b.running ? texts.leader + " " + leads : texts.down));
    return el;
  }));
}

function showGroups(groups) {
  if (!groups.length) {
    groupsBox.replaceChildren(element("p", "quiet", texts.none));
    return;
  }
  groupsBox.replaceChildren(...groups.map((g) => {
    const row = element("p", "labgroup");
    const name = element("strong", "", g.id);
    name.style.setProperty("--of", colour(g.id));
    let lag = null;
    for (const p of g.places) {
      const lane = lanes.get(p.topic + "/" + p.partition);
      if (lane && p.committed >= 0) lag = (lag || 0) + Math.max(0, lane.state.end - p.committed);
    }
    row.append(name, " ", element("span", "badge s-" + g.state, g.state), " ", texts.lag + " " + (lag == null ? "–" : lag));
    if (g.idle) row.append(" ", element("span", "badge warn", texts.idle.replace("%n", g.idle)));
    return row;
  }));
}

function showEvents(events) {
  if (!events.length) return;
  if (eventsBox.querySelector(".quiet:only-child")) eventsBox.replaceChildren();
  for (const e of events) {
    const li = element("li");
    const at = element("time", "quiet small", e.at);
    at.dateTime = e.at;
    const text = e.why + (e.member ? " · " + e.member.slice(-12) : "") + (e.reason ? " (" + e.reason + ")" : "");
    const name = element("strong", "", e.group);
    name.style.setProperty("--of", colour(e.group));
    li.append(at, " ", name, " ", element("span", "", text));
    if (e.from !== e.to) li.append(" ", element("span", "badge s-" + e.to, e.from + " → " + e.to));
    eventsBox.prepend(li);
  }
  while (eventsBox.children.length > 60) eventsBox.lastChild.remove();
  document.dispatchEvent(new Event("htmx:after:swap"));
}

let drawing = false, last = 0;
function schedule() {
  if (drawing) return;
  drawing = true;
  last = 0;
  requestAnimationFrame(step);
}

// Lanes glide to where the log ends, so that the eye can follow.
function step(now) {
  const passed = last ? Math.min(100, now - last) : 16;
  last = now;
  let moving = false;
  const colours = { ink: style("--quiet"), line: style("--line"), ground: style("--ground") };
  for (const lane of lanes.values()) {
    const away = lane.state.end - lane.at;
    if (still || Math.abs(away) < 0.02 || away > 3 * kept) lane.at = lane.state.end;
    else { lane.at += away * Math.min(1, passed / 120); moving = true; }
    paint(lane, colours);
  }
  drawing = moving;
  if (moving) requestAnimationFrame(step);
}

function paint(lane, colours) {
  const { canvas } = lane;
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio)) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  const middle = 17;
  const x = (offset) => width - 26 - (lane.at - 1 - offset) * gap;
  g.strokeStyle = colours.line;
  g.lineWidth = 1;
  g.beginPath(); g.moveTo(0, middle + 0.5); g.lineTo(width, middle + 0.5); g.stroke();
  const end = x(lane.at - 1) + gap / 2 + 3;
  g.setLineDash([3, 3]); g.strokeStyle = colours.ink;
  g.beginPath(); g.moveTo(end, 3); g.lineTo(end, height - 14); g.stroke();
  g.setLineDash([]);
  g.font = "10px system-ui";
  g.textAlign = "center";
  for (const d of lane.dots) {
    const at = x(d.o);
    if (at < -gap || at > width + gap) continue;
    g.beginPath(); g.arc(at, middle, 6, 0, 7);
    if (d.c < 0) { g.fillStyle = colours.ground; g.fill(); g.strokeStyle = colours.ink; g.lineWidth = 1.5; g.stroke(); }
    else { g.fillStyle = keyColours[d.c]; g.fill(); }
    if (d.o % 5 === 0) { g.fillStyle = colours.ink; g.fillText(d.o, at, height - 3); }
  }
  lane.places.forEach((p, i) => {
    if (p.committed < 0) return;
    const at = Math.max(6 + i * 10, x(p.committed));
    g.fillStyle = p.colour;
    g.beginPath(); g.moveTo(at, middle + 8); g.lineTo(at - 5, middle + 17); g.lineTo(at + 5, middle + 17); g.fill();
  });
}

// The key of a dot, where the mouse is.
lanesBox.addEventListener("mousemove", (event) => {
  const canvas = event.target.closest("canvas");
  if (!canvas) return;
  for (const lane of lanes.values()) {
    if (lane.canvas !== canvas) continue;
    const offset = Math.round(lane.at - 1 - (canvas.clientWidth - 26 - event.offsetX) / gap);
    const dot = lane.dots.find((d) => d.o === offset);
    canvas.title = dot ? dot.o + (dot.k ? ": " + dot.k : "") : "";
  }
});

const button = document.getElementById("lab-pause");
button.addEventListener("click", () => {
  paused = !paused;
  button.setAttribute("aria-pressed", paused);
  button.textContent = paused ? texts.resume || button.dataset.resume : button.dataset.pause;
  if (!paused) { for (const f of waiting || []) frame(f); waiting = null; }
});

addEventListener("resize", schedule);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", schedule);
frame(JSON.parse(texts.frame));
const source = new EventSource(texts.feed);
source.addEventListener("frame", (event) => {
  const f = JSON.parse(event.data);
  if (!paused) frame(f);
  else { waiting = waiting || []; waiting.push(f); if (waiting.length > 200) waiting.shift(); }
});
addEventListener("pagehide", () => source.close());
