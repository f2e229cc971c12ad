// The live tail: the server streams rows of HTML, newest first.

const most = 500; // rows that stay on the page
const body = document.getElementById("tail");
const state = document.getElementById("tail-state");
const button = document.getElementById("tail-pause");
const texts = body.dataset;
let source, waiting = [], seen = 0, skipped = 0, unjudged = 0, paused = false;

function say() {
  const text = paused ? texts.paused : texts.live;
  state.textContent = text.replace("%n", seen) + (skipped ? " · " + texts.skipped.replace("%n", skipped) : "") + (unjudged ? " · " + texts.unjudged.replace("%n", unjudged) : "");
}

function show(html) {
  const rows = document.createElement("template");
  rows.innerHTML = html;
  seen += rows.content.querySelectorAll("tr").length;
  body.prepend(rows.content);
  while (body.rows.length > most) body.deleteRow(-1);
  document.dispatchEvent(new Event("htmx:after:swap"));
}

function open() {
  source = new EventSource(texts.tail);
  source.addEventListener("rows", (event) => {
    if (!paused) show(event.data);
    else if (waiting.push(event.data) > 50) waiting.shift();
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
  if (!paused) {
    for (const html of waiting) show(html);
    waiting = [];
  }
  say();
});
open();
addEventListener("pagehide", () => source.close());
