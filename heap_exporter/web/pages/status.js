"use strict";

const root = document.body.dataset.root;
const refreshMilliseconds = 5000;

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(root + "/", { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const twin = fresh.getElementById(part.id);
      if (part.dataset.state) part.dataset.state = twin.dataset.state;
      if (part.innerHTML !== twin.innerHTML) part.replaceChildren(...twin.childNodes);
    }
    document.getElementById("offline").hidden = true;
  } catch {
    document.getElementById("offline").hidden = false;
  }
}

function tell(text, failed) {
  const outcome = document.getElementById("outcome");
  outcome.textContent = text;
  outcome.classList.toggle("failed", failed);
  outcome.hidden = false;
}

async function takeSnapshot(event) {
  const button = event.currentTarget;
  button.disabled = true;
  tell("Taking a snapshot …", false);
  try {
    const answer = await fetch(root + "/snapshots?reason=status+page", { method: "POST" });
    const told = await answer.json();
    const written = "Written to " + told.path + (told.note ? " (" + told.note + ")" : "");
    tell(answer.ok ? written : told.title + ": " + told.detail, !answer.ok);
  } catch {
    tell("The process did not answer.", true);
  }
  button.disabled = false;
  await refresh();
}

document.getElementById("take").addEventListener("click", takeSnapshot);
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, refreshMilliseconds);
