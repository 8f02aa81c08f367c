/** Reads the theme's colours for a chart. Custom properties come unresolved, a computed colour does not. */

import type { Palette } from "../../charts/palette";

export function readPalette(): Palette {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette: Palette = {
    ink: colour("ink"),
    soft: colour("soft"),
    line: colour("line"),
    card: colour("card"),
    claim: colour("claim"),
    score: colour("score"),
    series: Array.from({ length: 8 }, (_, i) => colour(`series-${i + 1}`)),
    font: getComputedStyle(document.body).fontFamily,
  };
  probe.remove();
  return palette;
}
