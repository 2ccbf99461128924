// Runs before the first paint, so that a dark page is never white for a moment. An inline script would need a hole in the CSP.
(function () {
  var wish;
  try {
    wish = localStorage.getItem("mantine-color-scheme-value") || "auto";
  } catch {
    wish = "auto";
  }
  var dark = wish === "dark" || (wish === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
