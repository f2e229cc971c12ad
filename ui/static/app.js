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
    label.querySelector("input, select").required = needed;
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
// A live part was replaced.
document.addEventListener("htmx:after:swap", () => ready(document));
document.addEventListener("htmx:afterSwap", () => ready(document));
