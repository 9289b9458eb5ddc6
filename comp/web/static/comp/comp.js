// The few things that HTML does not do by itself yet. No framework, no inline code: the page works without this file,
// only without live figures and, in older browsers, without dialogs (each of them has its own page as well).
"use strict";

// <button command="show-modal|close" commandfor="id"> for browsers that do not know it.
if (!("commandForElement" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[commandfor]");
    const dialog = button && document.getElementById(button.getAttribute("commandfor"));
    if (!dialog) return;
    if (button.getAttribute("command") === "show-modal") dialog.showModal();
    else dialog.close();
  });
}

// A form that was sent must not be sent twice: an approval, a posting. The server refuses repeats too.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
// A page that comes back from the browser's history may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A file that the server would refuse by its size is refused here, before minutes are spent on sending it.
document.addEventListener("change", (event) => {
  const most = Number(event.target.dataset?.most);
  if (!most || !event.target.files) return;
  const large = [...event.target.files].some((file) => file.size > most);
  event.target.setCustomValidity(large ? `The file is larger than ${Math.floor(most / 2 ** 20)} MB. Send it in parts.` : "");
  event.target.reportValidity();
});

// Live regions: announce politely what changed, and say so when the line is down.
const announce = (text) => {
  const place = document.getElementById("announce");
  if (place) place.textContent = text;
};
const connected = (yes) => {
  const note = document.getElementById("offline");
  if (note) note.hidden = yes;
};
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo } = event.detail;
  // Answered from another address: the session ended and this is the log-in page. It belongs in the window, not here.
  const asked = new URL(pathInfo.requestPath, location.href).pathname;
  if (xhr.responseURL && new URL(xhr.responseURL).pathname !== asked) {
    event.detail.shouldSwap = false;
    location.reload();
  }
});
// An open dialog or a field with the cursor inside the region: redraw on the next round, not under someone's hands.
document.addEventListener("htmx:beforeRequest", (event) => {
  const region = event.detail.elt;
  if (!region.classList.contains("live")) return;
  if (document.hidden || region.querySelector("dialog[open], :is(input, select, textarea):focus")) event.preventDefault();
});
document.addEventListener("htmx:afterSettle", (event) => {
  const region = event.detail.elt;
  if (!region.classList.contains("live")) return;
  region.classList.add("fresh");
  announce(region.dataset.announce || "The figures on this page have changed.");
});
document.addEventListener("htmx:afterRequest", (event) => connected(event.detail.successful));
