/** The colours that a chart needs, as the present theme resolves them. */

export interface Palette {
  readonly ink: string;
  readonly soft: string;
  readonly line: string;
  readonly card: string;
  readonly claim: string;
  readonly score: string;
  readonly series: readonly string[];
  readonly font: string;
}
