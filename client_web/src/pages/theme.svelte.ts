/** Light, dark, or as the system says. public/theme.js applies the choice before the first paint. */

export type Theme = "system" | "light" | "dark";

const KEY = "potluck.theme";

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

class Appearance {
  chosen = $state<Theme>("system");
  /** Counts changes, so that what draws on a canvas can draw again. */
  changes = $state(0);

  start(): void {
    this.chosen = stored();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.changes++);
  }

  choose(theme: Theme): void {
    this.chosen = theme;
    if (theme === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
    try {
      if (theme === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // Storage is switched off: the choice holds until the page is left.
    }
    this.changes++;
  }
}

export const appearance = new Appearance();
