// What the pages do beyond HTML: times in the reader's zone, copy buttons, and
// fields that only some choices need. Everything works without it.

// The same form as the server writes, so that nothing moves: only the zone is
// the reader's.
function local(at) {
  const shifted = new Date(at.getTime() - at.getTimezoneOffset() * 60000);
  return shifted.toISOString().replace("T", " ").replace("Z", "");
}

function localTimes(root) {
  for (const el of root.querySelectorAll("time[datetime]")) {
    const at = new Date(el.dateTime);
    if (!Number.isNaN(at.getTime())) {
      el.title = el.dateTime;
      const text = local(at);
      el.textContent = el.closest(".short") ? text.slice(11) : text;
    }
  }
}

function copyButtons(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    // Browsers give the clipboard to secure pages only: https and localhost.
    button.hidden = !navigator.clipboard;
  }
}

function neededFields(select) {
  for (const label of select.form.querySelectorAll("[data-for]")) {
    const needed = label.dataset.for.split(" ").includes(select.value);
    label.hidden = !needed;
    const field = label.querySelector("input, select");
    if (field) field.required = needed;
  }
}

// The server reads a time in the reader's zone, as it was at that time.
function zone(input) {
  const at = input.value ? new Date(input.value) : new Date();
  input.form.elements.zone.value = -at.getTimezoneOffset();
}

function ready(root) {
  localTimes(root);
  copyButtons(root);
}

ready(document);
for (const select of document.querySelectorAll("select[data-mode]")) {
  select.addEventListener("change", () => neededFields(select));
  neededFields(select);
}
for (const input of document.querySelectorAll("input[data-zone]")) {
  input.form.addEventListener("submit", () => zone(input));
}
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const label = button.textContent;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = button.dataset.done;
  setTimeout(() => { button.textContent = label; }, 1500);
});
// On a narrow screen the tab that one is at may be beside it.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
// A live part was replaced.
document.addEventListener("htmx:after:swap", () => ready(document));
document.addEventListener("htmx:afterSwap", () => ready(document));

// Shortcuts: g and a letter goes to a page, j and k go through the rows of the
// table, / to the search. They are off while something is typed.
const pages = { o: "/", t: "/topics", g: "/groups", x: "/transactions", b: "/brokers", s: "/security", l: "/lab", w: "/wire", e: "/events", d: "/doctor", f: "/faults", c: "/clock" };
const dialog = document.getElementById("keys");
const help = document.getElementById("keys-open");
help.hidden = false;
help.addEventListener("click", () => dialog.showModal());
let going = 0; // when g was typed

function row(by) {
  const links = [...document.querySelectorAll("main tbody")].flatMap((body) => [...body.rows]).map((tr) => tr.querySelector("a[href], summary")).filter((el) => el);
  const at = links.findIndex((el) => el.closest("tr").contains(document.activeElement));
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
  if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
}

function go(path) { if (path && (document.querySelector(`nav a[href="${path}"]`) || path.includes("?") || path.includes("/send"))) location.href = path; }

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, [contenteditable]") || dialog.open) return;
  const topic = location.pathname.match(/^\/topics\/[^/]+/)?.[0];
  if (going && event.timeStamp - going < 1500 && pages[event.key]) {
    going = 0;
    event.preventDefault();
    go(pages[event.key]);
    return;
  }
  going = 0;
  switch (event.key) {
    case "g": going = event.timeStamp; return;
    case "/": document.querySelector("main input[type=search], main input[name=q]")?.focus(); break;
    case "j": row(1); break;
    case "k": row(-1); break;
    case "t": if (topic) go(topic + "/messages?mode=tail"); break;
    case "p": if (topic) go(topic + "/send"); break;
    case "f": document.getElementById("resize")?.click(); break;
    case "?": dialog.showModal(); break;
    default: return;
  }
  event.preventDefault();
});
