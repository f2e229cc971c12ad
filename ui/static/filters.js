// The filters that were used on a topic: this browser remembers the newest, and
// those that are kept. They are links, so each can be edited and shared.

const most = 10; // of a topic, besides the kept ones
const where = "minibroker.filters";
const box = document.getElementById("filters");
const list = box.querySelector("ul");
const { topic, filter, search, query } = box.dataset;

function read() {
  try { return JSON.parse(localStorage.getItem(where)) ?? {}; } catch { return {}; }
}

function write(all) {
  try { localStorage.setItem(where, JSON.stringify(all)); } catch { /* full or forbidden: nothing is remembered */ }
}

const same = (a, b) => a.filter === b.filter && a.search === b.search;

// change replaces what is remembered of this topic.
function change(f) {
  const all = read();
  let left = most;
  all[topic] = f(Array.isArray(all[topic]) ? all[topic] : []).filter((one) => one.kept || left-- > 0);
  if (all[topic].length === 0) delete all[topic];
  write(all);
  show();
}

function button(text, pressed, does) {
  const b = document.createElement("button");
  b.type = "button";
  b.className = "plain tiny";
  b.textContent = text;
  if (pressed !== null) b.setAttribute("aria-pressed", pressed);
  b.addEventListener("click", does);
  return b;
}

function show() {
  const mine = read()[topic] ?? [];
  box.hidden = mine.length === 0;
  list.replaceChildren(...mine.map((one) => {
    const q = new URLSearchParams(query);
    for (const [name, value] of [["filter", one.filter], ["q", one.search]]) {
      if (value) q.set(name, value); else q.delete(name);
    }
    const link = document.createElement("a");
    link.className = "mono";
    link.href = "?" + q;
    link.textContent = [one.filter, one.search && `“${one.search}”`].filter((part) => part).join(" + ");
    const item = document.createElement("li");
    item.append(link, " ",
      button(one.kept ? box.dataset.kept : box.dataset.keep, Boolean(one.kept), () => change((all) => all.map((x) => (same(x, one) ? { ...x, kept: !x.kept } : x)))), " ",
      button(box.dataset.forget, null, () => change((all) => all.filter((x) => !same(x, one)))));
    return item;
  }));
}

if (filter || search) {
  const used = { filter, search };
  change((all) => [{ ...all.find((one) => same(one, used)), ...used }, ...all.filter((one) => !same(one, used))]);
} else {
  show();
}
