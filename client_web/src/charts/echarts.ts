/** The parts of ECharts that the charts use; imported only where a chart is drawn. */

import { LineChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { init, use, type ECharts, type EChartsCoreOption } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer, SVGRenderer } from "echarts/renderers";

use([LineChart, GridComponent, TooltipComponent, LabelLayout, CanvasRenderer, SVGRenderer]);

export type { ECharts };

/** Draw on a canvas: the SVG renderer writes style attributes, which the page's policy refuses. */
export function draw(element: HTMLElement): ECharts {
  return init(element, null, { renderer: "canvas" });
}

/** The same chart as an SVG document, drawn without touching the page. */
export function toSvg(option: EChartsCoreOption, width: number, height: number): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption(option);
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}
