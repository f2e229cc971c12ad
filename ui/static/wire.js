// A click on a request shows it beside the list. Without this, it has a page.

const pane = document.getElementById("exchange");

async function show(link) {
  const answer = await fetch(link.href);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.getElementById("exchange") || page.querySelector("main");
  pane.replaceChildren(...found.childNodes);
  const title = pane.querySelector("h1");
  if (title) {
    const lower = document.createElement("h2");
    lower.append(...title.childNodes);
    title.replaceWith(lower);
  }
  for (const row of document.querySelectorAll("tr.chosen")) row.classList.remove("chosen");
  link.closest("tr").classList.add("chosen");
  document.dispatchEvent(new Event("htmx:after:swap"));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-exchange]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(link);
});

// There is always a request to look at, where there is room beside the list.
function begin() {
  const link = document.querySelector("a[data-exchange]");
  if (!link || innerWidth <= 800 || pane.querySelector(".fields")) return;
  document.removeEventListener("htmx:after:swap", begin);
  show(link);
}
document.addEventListener("htmx:after:swap", begin);
begin();
