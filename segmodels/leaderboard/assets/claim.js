// Copy buttons. The page is complete without them.
"use strict";
for (const box of document.querySelectorAll(".copy")) {
  const code = box.querySelector("code");
  const button = box.querySelector("button");
  if (location.protocol.startsWith("http")) {
    const folder = new URL("../../", location.href).href;
    code.textContent = code.textContent.replaceAll("(reports/", `(${folder}reports/`);
  }
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
