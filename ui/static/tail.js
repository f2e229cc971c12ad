// The live tail: the server streams rows of HTML, newest first.

const most = 500; // rows that stay on the page
const body = document.getElementById("tail");
const state = document.getElementById("tail-state");
const button = document.getElementById("tail-pause"), step = document.getElementById("tail-step");
const texts = body.dataset;
let source, waiting = [], seen = 0, skipped = 0, unjudged = 0, paused = false;

function say() {
  const text = paused ? texts.paused : texts.live;
  step.disabled = !paused || !waiting.length;
  state.textContent = text.replace("%n", seen) + (skipped ? " · " + texts.skipped.replace("%n", skipped) : "") + (unjudged ? " · " + texts.unjudged.replace("%n", unjudged) : "");
}

// The newest row comes first in what the server sends, and last here.
function rowsOf(html) {
  const rows = document.createElement("template");
  rows.innerHTML = html;
  return [...rows.content.children].reverse();
}

function show(rows) {
  seen += rows.length;
  body.prepend(...rows.reverse());
  while (body.rows.length > most) body.deleteRow(-1);
  document.dispatchEvent(new Event("htmx:after:swap"));
}

function open() {
  source = new EventSource(texts.tail);
  source.addEventListener("rows", (event) => {
    if (!paused) show(rowsOf(event.data));
    else waiting = [...waiting, ...rowsOf(event.data)].slice(-most);
    say();
  });
  source.addEventListener("skipped", (event) => { skipped += Number(event.data); say(); });
  source.addEventListener("unjudged", (event) => { unjudged = Number(event.data); say(); });
  source.addEventListener("failed", (event) => { source.close(); state.textContent = event.data; });
  source.onerror = () => { state.textContent = texts.lost; };
  source.onopen = say;
}

button.addEventListener("click", () => {
  paused = !paused;
  button.setAttribute("aria-pressed", paused);
  button.textContent = paused ? texts.resume : texts.pause;
  if (!paused) show(waiting.splice(0));
  say();
});
step.addEventListener("click", () => { show(waiting.splice(0, 1)); say(); });
open();
addEventListener("pagehide", () => source.close());
