// Bring the page up to date in place every five seconds. Without scripts the page reloads itself instead.
"use strict";
(() => {
  const SECONDS = 5;
  const button = document.getElementById("pause");
  const stale = document.getElementById("stale");
  let paused = false;
  let busy = false;

  function adopt(page) {
    for (const id of ["now", "facts", "updated"]) {
      document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
    }
    const verdict = document.getElementById("verdict");
    const next = page.getElementById("verdict");
    // A screen reader is told of it: only where it has changed.
    if (verdict.innerHTML !== next.innerHTML) {
      verdict.className = next.className;
      verdict.replaceChildren(...next.childNodes);
    }
    document.title = page.title;
    stale.hidden = true;
  }

  async function refresh() {
    if (paused || busy || document.hidden) return;
    busy = true;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(SECONDS * 2000) });
      if (!answer.ok) throw new Error(String(answer.status));
      adopt(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      stale.hidden = false;
    } finally {
      busy = false;
    }
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on" : "Pause";
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, SECONDS * 1000);
})();
