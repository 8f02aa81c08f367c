// Sets the chosen theme before the first paint. A file of its own: the policy allows no inline script.
try {
  const chosen = localStorage.getItem("potluck.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be switched off; the system's theme applies.
}
