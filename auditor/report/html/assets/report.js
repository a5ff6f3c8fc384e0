"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  const show = (panel) => {
    const pane = panel.closest(".pane");
    for (const other of all("[role=tabpanel]", pane)) other.hidden = other !== panel;
    for (const tab of all("[role=tab]", pane))
      tab.setAttribute("aria-selected", String(tab.dataset.panel === panel.id));
  };

  const activate = (article, finding) => {
    for (const note of all(".note[data-finding]", article)) note.classList.toggle("on", note.dataset.finding === finding);
  };

  const visit = (step) => {
    const article = step.closest("article");
    const finding = step.closest("details");
    finding.open = true;
    for (const other of all(".step[aria-current]")) other.removeAttribute("aria-current");
    step.setAttribute("aria-current", "true");
    activate(article, step.dataset.finding);
    for (const note of all(".note.here")) note.classList.remove("here");
    const note = document.getElementById(step.dataset.note);
    if (note) {
      const panel = note.closest("[role=tabpanel]");
      show(panel);
      note.classList.add("here");
      panel.scrollTop += note.getBoundingClientRect().top - panel.getBoundingClientRect().top - panel.clientHeight / 2;
    }
    step.focus({ preventScroll: true });
    step.scrollIntoView({ block: "nearest" });
    return note;
  };

  /* Where the pane stands below the findings, a step that was touched leads to its line, and the line leads back. */
  const stacked = (article) => article.querySelector(".split")
    && getComputedStyle(article.querySelector(".split")).gridTemplateColumns.split(" ").length === 1;

  const touch = (step) => {
    const note = visit(step);
    if (note && stacked(step.closest("article"))) note.scrollIntoView({ block: "center" });
  };

  const back = (note) => {
    const step = all(".step", note.closest("article")).find((one) => one.dataset.note === note.id);
    if (step && stacked(note.closest("article"))) step.scrollIntoView({ block: "center" });
  };

  const move = (by) => {
    const steps = all(".step");
    if (!steps.length) return;
    const at = steps.findIndex((step) => step.hasAttribute("aria-current"));
    const next = at < 0 ? (by > 0 ? 0 : steps.length - 1) : Math.min(steps.length - 1, Math.max(0, at + by));
    visit(steps[next]);
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const step = event.target.closest(".step");
    if (step) touch(step);
    const note = event.target.closest(".note[data-finding]");
    if (note) back(note);
    const tab = event.target.closest("[role=tab]");
    if (tab) show(document.getElementById(tab.dataset.panel));
    if (event.target.closest(".copy")) copy(event.target.closest("section"));
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches(".only-relevant"))
      event.target.closest(".pane").classList.toggle("only", event.target.checked);
  });

  const copy = (section) => {
    const area = section.querySelector("textarea");
    const done = (text) => { section.querySelector(".copied").textContent = text; };
    const byHand = () => { area.focus(); area.select(); done(document.execCommand("copy") ? "copied" : "press Ctrl+C"); };
    if (navigator.clipboard && window.isSecureContext)
      navigator.clipboard.writeText(area.value).then(() => done("copied"), byHand);
    else byHand();
  };

  for (const article of all("article")) activate(article, "0");
})();
