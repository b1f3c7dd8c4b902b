"use strict";

const root = document.body.dataset.root;
const refreshMilliseconds = 5000;

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(root + "/" + location.search, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const twin = fresh.getElementById(part.id);
      if (part.dataset.state) part.dataset.state = twin.dataset.state;
      for (const fold of twin.querySelectorAll("details")) fold.open = document.getElementById(fold.id)?.open ?? false;
      if (part.innerHTML !== twin.innerHTML) part.replaceChildren(...twin.childNodes);
    }
    document.getElementById("offline").hidden = true;
  } catch {
    document.getElementById("offline").hidden = false;
  }
}

function showOutcome(text, failed) {
  const outcome = document.getElementById("outcome");
  outcome.textContent = text;
  outcome.classList.toggle("failed", failed);
  outcome.hidden = false;
}

async function takeSnapshot(event) {
  const button = event.currentTarget;
  button.disabled = true;
  showOutcome("Taking a snapshot …", false);
  try {
    const answer = await fetch(root + "/snapshots?reason=status+page", { method: "POST" });
    const result = await answer.json();
    const written = "Written to " + result.path + (result.note ? " (" + result.note + ")" : "");
    showOutcome(answer.ok ? written : result.title + ": " + result.detail, !answer.ok);
  } catch {
    showOutcome("The process does not answer.", true);
  }
  button.disabled = false;
  await refresh();
}

document.getElementById("take").addEventListener("click", takeSnapshot);
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, refreshMilliseconds);
