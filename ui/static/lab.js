// The page /lab. Frames come from the server as events; here they become lanes,
// groups, keys and a list of what happened. lanes.js draws.

import { cellAt, draw, groupColour, hueOf, kept } from "./lanes.js";

const root = document.getElementById("lab");
const texts = root.dataset;
const box = (id) => document.getElementById("lab-" + id);
const lanes = new Map(); // topic/partition -> lane
const keys = new Map(); // key -> set of topic/partition
const letters = new Map(); // member id -> its letters
const numbers = new Map(); // group -> its number
const began = new Map(); // group -> when its rebalance began
const keysShown = 30, partsShown = 12;
let paused = false, waiting = [], first = true;

function element(name, className, text) {
  const el = document.createElement(name);
  if (className) el.className = className;
  if (text !== undefined) el.textContent = text;
  return el;
}

function put(text, values) { return text.replace(/%([a-z])/g, (whole, name) => values[name] ?? whole); }

function numberOf(group) {
  if (!numbers.has(group)) numbers.set(group, numbers.size);
  return numbers.get(group);
}

// A member has a letter for as long as the page is open: A, B, ... Z, AA.
function letterOf(member) {
  if (!letters.has(member)) {
    let n = letters.size, text = "";
    do { text = String.fromCharCode(65 + n % 26) + text; n = Math.floor(n / 26) - 1; } while (n >= 0);
    letters.set(member, text);
  }
  return letters.get(member);
}

function moves(state) { return state !== "Stable" && state !== "Empty" && state !== "Dead"; }

function makeLane(state) {
  const el = element("div", "lane"), label = element("div", "lane-label"), name = element("strong", "", state.topic);
  const part = element("span", "lane-part", "P" + state.partition), rate = element("span", "lane-rate quiet small"), brokers = element("span", "lane-brokers");
  const canvas = element("canvas"), owners = element("div", "lane-owners");
  canvas.setAttribute("role", "img");
  label.append(part, name, brokers, rate);
  el.append(label, canvas, owners);
  return { el, rate, brokers, canvas, owners, dots: [], at: state.end, state, places: [], cursors: new Map(), speed: 0, seen: performance.now() };
}

// Again is whether it was shown before: what is there from the start does not
// fade in.
function fill(lane, state, again) {
  const now = performance.now();
  if (state.end < lane.state.end) { lane.dots = []; lane.at = state.end; } // created anew
  const passed = (now - lane.seen) / 1000;
  if (again && passed > 0.05) {
    const speed = Math.max(0, state.end - lane.state.end) / passed;
    lane.speed = lane.speed * 0.7 + speed * 0.3;
    lane.seen = now;
  }
  if (again && lane.state.leader !== state.leader) {
    const values = { t: state.topic, p: state.partition, a: lane.state.leader < 0 ? "–" : lane.state.leader, b: state.leader < 0 ? "–" : state.leader };
    happened(new Date().toISOString(), "", put(texts.moved, values), "");
  }
  for (const d of state.dots) {
    if (again && d.o >= lane.state.end) d.born = now;
    if (d.k !== undefined) {
      if (!keys.has(d.k)) keys.set(d.k, new Set());
      keys.get(d.k).add(state.topic + "/" + state.partition);
      hueOf(d.k);
    }
  }
  const fresh = again && lane.state.leader !== state.leader;
  lane.state = state;
  const newest = lane.dots.length ? lane.dots[lane.dots.length - 1].o : -1; // the first frames tell the same
  lane.dots.push(...state.dots.filter((d) => d.o > newest));
  lane.dots = lane.dots.filter((d) => d.o >= state.start).slice(-kept);
  lane.places = [];
  lane.rate.textContent = lane.speed >= 0.5 ? put(texts.rate, { n: Math.round(lane.speed).toLocaleString(document.documentElement.lang) }) : "";
  if (state.replicas.length > 1 || state.leader < 0) {
    lane.brokers.replaceChildren(...state.replicas.map((id) => {
      const leads = id === state.leader, synced = state.isr.includes(id);
      const chip = element("span", "node" + (leads ? " leads" : synced ? "" : " behind") + (leads && fresh ? " fresh" : ""), id);
      chip.title = put(leads ? texts.leads : synced ? texts.synced : texts.behind, { n: id });
      return chip;
    }));
  }
}

function frame(f) {
  const present = new Set();
  for (const state of f.lanes) {
    const id = state.topic + "/" + state.partition;
    present.add(id);
    const again = lanes.has(id);
    if (!again) { const lane = makeLane(state); lanes.set(id, lane); }
    fill(lanes.get(id), state, again || !first);
  }
  for (const [id, lane] of lanes) if (!present.has(id)) { lane.el.remove(); lanes.delete(id); }
  const order = f.lanes.map((state) => lanes.get(state.topic + "/" + state.partition).el), list = document.getElementById("lanes");
  if (order.some((el, i) => list.children[i] !== el)) list.replaceChildren(...order);
  for (const g of f.groups) {
    for (const p of g.places) {
      const lane = lanes.get(p.topic + "/" + p.partition);
      if (!lane) continue;
      const moving = moves(g.state), number = numberOf(g.id);
      lane.places.push({ ...p, group: g.id, moving, number, name: g.id + (p.owner ? " " + letterOf(p.owner) : "") });
    }
  }
  for (const lane of lanes.values()) showOwners(lane, f.groups);
  showBrokers(f.brokers);
  showGroups(f.groups);
  showKeys();
  for (const e of f.events) stepped(e);
  first = false;
  draw(lanes);
}

function showOwners(lane, groups) {
  lane.owners.replaceChildren(...lane.places.map((p) => {
    const el = element("span", "owner" + (p.moving ? " moving" : p.owner ? "" : " free"));
    el.style.setProperty("--of", groupColour(p.number));
    const was = (lane.had ||= new Map()).get(p.group);
    if (was !== undefined && was !== p.owner && p.owner) el.classList.add("fresh");
    lane.had.set(p.group, p.owner);
    const member = groups.find((g) => g.id === p.group).members.find((m) => m.id === p.owner);
    if (member && !p.moving) el.append(element("b", "letter", letterOf(p.owner)), " ", element("span", "", member.client));
    else el.textContent = p.moving ? texts.rebalance : texts.free;
    el.title = p.group + (member ? " · " + member.id + " @ " + member.host : "");
    return el;
  }));
  const places = lane.places.map((p) => p.name + " " + (p.committed < 0 ? "–" : p.committed)).join(", ");
  lane.canvas.setAttribute("aria-label", put(texts.label, { t: lane.state.topic, p: lane.state.partition, e: lane.state.end, g: places || "–" }));
}

// With several brokers: which run, how much each leads, and a button.
function showBrokers(brokers) {
  if (brokers.length < 2) return;
  const now = brokers.map((b) => b.id + (b.running ? "+" : "-") + [...lanes.values()].filter((l) => l.state.leader === b.id).length).join();
  if (box("brokers").dataset.now === now) return;
  box("brokers").dataset.now = now;
  const had = document.activeElement?.dataset?.broker;
  box("brokers").replaceChildren(...brokers.map((b) => {
    const leads = [...lanes.values()].filter((l) => l.state.leader === b.id).length;
    const el = element("div", "labbroker" + (b.running ? "" : " down"));
    const button = element("button", "plain tiny", b.running ? texts.stop : texts.start);
    button.type = "button";
    button.dataset.broker = b.id;
    button.append(element("span", "hide", " " + b.id));
    el.append(element("strong", "", texts.broker + " " + b.id), element("span", "badge " + (b.running ? "s-Stable" : "s-Dead"), b.running ? texts.up : texts.down), element("span", "quiet small", put(texts.count, { n: leads })), button);
    return el;
  }));
  if (had) box("brokers").querySelector(`[data-broker="${had}"]`)?.focus();
}

function showGroups(groups) {
  if (!groups.length) {
    box("groups").replaceChildren(element("p", "quiet", texts.none));
    return;
  }
  box("groups").replaceChildren(...groups.map((g) => {
    const el = element("div", "labgroup"), head = element("p", "labgroup-head"), name = element("a", "", g.id);
    el.style.setProperty("--of", groupColour(numberOf(g.id)));
    name.href = "/groups/" + encodeURIComponent(g.id);
    let lag = null;
    for (const p of g.places) {
      const lane = lanes.get(p.topic + "/" + p.partition);
      if (lane && p.committed >= 0) lag = (lag || 0) + Math.max(0, lane.state.end - p.committed);
    }
    head.append(name, element("span", "badge s-" + g.state, g.state), element("span", "quiet small", texts.lag + " " + (lag == null ? "–" : lag.toLocaleString(document.documentElement.lang))));
    el.append(head);
    const members = element("ul", "members");
    for (const m of g.members) {
      const li = element("li", m.has || moves(g.state) ? "" : "idle");
      const has = g.places.filter((p) => p.owner === m.id).map((p) => (texts.topic ? "" : p.topic + "-") + "P" + p.partition);
      li.append(element("b", "letter", letterOf(m.id)), " ", element("span", "", m.client), " ", element("span", "quiet", "…" + m.id.slice(-6) + " @ " + m.host));
      const parts = element("span", "parts");
      for (const p of has.slice(0, partsShown)) parts.append(element("span", "badge", p));
      if (has.length > partsShown) parts.append(element("span", "quiet", "+" + (has.length - partsShown)));
      if (!m.has && !moves(g.state)) parts.append(element("span", "badge warn", texts.idle));
      li.append(parts);
      members.append(li);
    }
    if (g.members.length) el.append(members);
    return el;
  }));
}

// Which key goes where. A key in two partitions of a topic is what happens when
// partitions are added.
function showKeys() {
  const newest = [...keys].slice(-keysShown);
  const now = newest.map(([key, at]) => key + ":" + at.size).join("\n");
  if (box("keys").dataset.now === now) return;
  box("keys").dataset.now = now;
  if (!newest.length) return;
  box("keys").replaceChildren(...newest.map(([key, at]) => {
    const li = element("li"), chip = element("span", "keychip", key);
    chip.style.setProperty("--hue", hueOf(key));
    li.append(chip, " → ", element("span", "", [...at].map((id) => (texts.topic ? "" : id.slice(0, id.lastIndexOf("/")) + "-") + "P" + id.slice(id.lastIndexOf("/") + 1)).join(", ")));
    return li;
  }));
}

function happened(at, group, text, state, extra) {
  const list = box("events");
  if (list.querySelector(":scope > .quiet")) list.replaceChildren();
  const li = element("li"), time = element("time", "quiet", at), body = element("span");
  time.dateTime = at;
  if (group) {
    const name = element("strong", "", group);
    name.style.setProperty("--of", groupColour(numberOf(group)));
    body.append(name, " ");
  }
  body.append(text);
  if (extra) body.append(" ", element("span", "quiet", extra));
  const clock = element("span", "short");
  clock.append(time);
  li.append(clock, body);
  if (state) li.append(element("span", "badge s-" + state, state));
  list.prepend(li);
  while (list.children.length > 60) list.lastChild.remove();
  document.dispatchEvent(new Event("htmx:after:swap"));
}

function stepped(e) {
  if (moves(e.to) && !began.has(e.group)) began.set(e.group, e.at);
  let text = e.text + (e.member ? " · " + letterOf(e.member) : "") + (e.reason ? " (" + e.reason + ")" : "");
  if (e.assigned) text += ": " + e.assigned.join("; ");
  let extra = "";
  if (began.has(e.group) && !moves(e.to)) {
    extra = put(texts.took, { n: Math.max(0, new Date(e.at) - new Date(began.get(e.group))).toLocaleString(document.documentElement.lang) });
    began.delete(e.group);
  }
  happened(e.at, e.group, text, e.from !== e.to ? e.to : "", extra);
}

// What a cell holds, where the mouse is.
document.getElementById("lanes").addEventListener("mousemove", (event) => {
  const canvas = event.target.closest("canvas");
  if (!canvas) return;
  for (const lane of lanes.values()) {
    if (lane.canvas !== canvas) continue;
    const offset = cellAt(lane, event.offsetX);
    const dot = lane.dots.find((d) => d.o === offset);
    canvas.title = dot ? put(texts.cell, { o: dot.o, k: dot.k ?? "null" }) : "";
  }
});
document.getElementById("lanes").addEventListener("click", (event) => {
  for (const lane of lanes.values()) {
    if (lane.canvas !== event.target) continue;
    const offset = cellAt(lane, event.offsetX);
    if (lane.dots.some((d) => d.o === offset)) location.href = `/topics/${encodeURIComponent(lane.state.topic)}/p/${lane.state.partition}/o/${offset}`;
  }
});

// What the page can do: the same forms as the other pages have.
async function post(path, fields) {
  const body = fields instanceof FormData ? fields : new URLSearchParams(fields);
  const answer = await fetch("/api/v1/pages" + path, { method: "POST", body });
  box("said").textContent = answer.ok ? "" : (await answer.json()).error;
}

box("brokers").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-broker]");
  if (!button) return;
  const down = button.closest(".down");
  post(`/brokers/${button.dataset.broker}/${down ? "start" : "stop"}`, {});
});
const form = box("send");
const topic = () => "/topics/" + encodeURIComponent(form.elements.topic.value);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  post(topic() + "/send", { key: form.elements.key.value, value: JSON.stringify({ n: Date.now() % 1000 }) });
});
box("burst").addEventListener("click", () => {
  const rows = Array.from({ length: 20 }, (_, i) => JSON.stringify({ key: "user-" + Math.floor(Math.random() * 8), value: { n: i } }));
  const file = new FormData();
  file.append("file", new Blob([rows.join("\n")]), "burst.jsonl");
  post(topic() + "/send", file);
});
box("more").addEventListener("click", () => {
  const name = form.elements.topic.value;
  post(topic() + "/partitions", { partitions: [...lanes.values()].filter((l) => l.state.topic === name).length + 1 });
});

const button = box("pause"), step = box("step");
function steps() { step.disabled = !paused || !waiting.length; }
step.addEventListener("click", () => { frame(waiting.shift()); steps(); });
button.addEventListener("click", () => {
  paused = !paused;
  button.setAttribute("aria-pressed", paused);
  button.textContent = paused ? button.dataset.resume : button.dataset.pause;
  if (!paused) for (const f of waiting.splice(0)) frame(f);
  steps();
});

addEventListener("resize", () => draw(lanes));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(lanes));
frame(JSON.parse(texts.frame));
const source = new EventSource(texts.feed);
source.addEventListener("frame", (event) => {
  const f = JSON.parse(event.data);
  if (!paused) frame(f);
  else if (waiting.push(f) > 200) waiting.shift();
  steps();
});
source.onopen = () => { root.dataset.state = "live"; box("said").textContent = ""; };
source.onerror = () => { root.dataset.state = "lost"; box("said").textContent = texts.lost; };
addEventListener("pagehide", () => source.close());
