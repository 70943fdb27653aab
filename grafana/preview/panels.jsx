// Draws the panels of the preview with Grafana's own code: field configuration, overrides, units,
// thresholds, colours and legends are what a browser would show in Grafana. What npm does not have of
// it, and stands here: the registry of field options, marks, and where the frames come from.
import {
  applyFieldOverrides, createDataFrame, createTheme, displayNameOverrideProcessor,
  FieldConfigOptionsRegistry, FieldType, getDisplayValueAlignmentFactors, getFieldDisplayValues,
  identityOverrideProcessor, makeTimeRange, standardFieldConfigEditorRegistry, ThemeContext,
  thresholdsOverrideProcessor, toUtc, unitOverrideProcessor, VizOrientation,
} from "@grafana/data";
import { BarGauge, BigValue, TimeSeries, VizRepeater } from "@grafana/ui";
import { createRoot } from "react-dom/client";
import plotStyle from "uplot/dist/uPlot.min.css";

// Of Grafana's app, which is not on npm: its field options, and the defaults of a graph's.
const PROCESSORS = {
  color: identityOverrideProcessor, decimals: identityOverrideProcessor,
  displayName: displayNameOverrideProcessor, links: identityOverrideProcessor,
  mappings: identityOverrideProcessor, max: identityOverrideProcessor,
  min: identityOverrideProcessor, noValue: identityOverrideProcessor,
  thresholds: thresholdsOverrideProcessor, unit: unitOverrideProcessor,
};
const GRAPH = {
  axisPlacement: "auto", axisLabel: "", axisColorMode: "text", axisBorderShow: false,
  axisCenteredZero: false, axisGridShow: true, axisSoftMax: undefined, axisSoftMin: undefined,
  barAlignment: 0, barWidthFactor: 0.6,
  drawStyle: "line", fillOpacity: 0, gradientMode: "none", insertNulls: false,
  hideFrom: { tooltip: false, viz: false, legend: false }, lineInterpolation: "linear",
  lineStyle: { fill: "solid" }, lineWidth: 1, pointSize: 5, scaleDistribution: { type: "linear" },
  showPoints: "auto", spanNulls: false, stacking: { mode: "none", group: "A" },
  thresholdsStyle: { mode: "off" },
};
const option = (path, process, isCustom) => ({
  id: isCustom ? `custom.${path}` : path, path, name: path, isCustom, process,
  editor: () => null, override: () => null, shouldApply: (field) => field.type !== FieldType.time,
});
const standard = Object.entries(PROCESSORS).map(([path, one]) => option(path, one, false));
const custom = Object.keys(GRAPH).map((path) => option(path, identityOverrideProcessor, true));
standardFieldConfigEditorRegistry.setInit(() => standard);
const registry = new FieldConfigOptionsRegistry(() => [...standard, ...custom]);

const same = (text) => text;
// Points with a break where some are missing. Grafana's panel does it for each series before it calls
// `TimeSeries`, which does it for the first alone.
function withGaps(times, values) {
  const steps = times.slice(1).map((at, index) => at - times[index]);
  const longest = 1.5 * Math.min(...steps);
  const broken = steps.flatMap((step, index) => (step > longest ? [index + 1] : []));
  const insert = (list, between) => list.flatMap(
    (one, index) => (broken.includes(index) ? [between(list[index - 1]), one] : [one]));
  return [insert(times, (before) => before + 0.001), insert(values, () => null)];
}

function configOf(panel) {
  const { defaults, overrides = [] } = panel.fieldConfig;
  const mode = panel.type === "timeseries" ? "palette-classic" : "thresholds";
  const own = { ...GRAPH, ...defaults.custom };
  return { defaults: { color: { mode }, ...defaults, custom: own }, overrides };
}

function framesOf(panel, data, theme) {
  const frames = data.series.map(({ name, labels, ...points }) => {
    const [times, values] = withGaps(points.times, points.values);
    return createDataFrame({
      fields: [
        { name: "Time", type: FieldType.time, values: times.map((at) => at * 1000), config: {} },
        { name: "Value", type: FieldType.number, values, labels, config: { displayNameFromDS: name } },
      ],
    });
  });
  return applyFieldOverrides({
    data: frames, fieldConfig: configOf(panel), fieldConfigRegistry: registry, theme,
    replaceVariables: same, timeZone: "utc",
  });
}

// Alerts and starts: a dotted line where each begins, a band at the foot while it lasts.
function drawMarks(plot, marks, theme) {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const { color, start, end } of marks) {
    const [from, to] = [start, end].map((at) => plot.valToPos(at * 1000, "x", true));
    if (to < bbox.left || from > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = theme.visualization.getColorByName(color);
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(from, bbox.top);
    ctx.lineTo(from, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillRect(from, bbox.top + bbox.height, Math.max(to - from, 2), 4 * devicePixelRatio);
  }
  ctx.restore();
}

function Graph({ panel, data, theme, width, height }) {
  const hooked = new WeakSet();
  return (
    <TimeSeries
      frames={framesOf(panel, data, theme)} legend={panel.options.legend} options={panel.options}
      timeRange={makeTimeRange(toUtc(data.start * 1000), toUtc(data.end * 1000))} timeZone="utc"
      width={width} height={height}
    >
      {(builder) => {
        if (!hooked.has(builder)) builder.addHook("draw", (plot) => drawMarks(plot, data.marks, theme));
        hooked.add(builder);
        return null;
      }}
    </TimeSeries>
  );
}

function Values({ panel, data, theme, width, height }) {
  const { options } = panel;
  const values = getFieldDisplayValues({
    data: framesOf(panel, data, theme), fieldConfig: configOf(panel), theme, timeZone: "utc",
    reduceOptions: options.reduceOptions, replaceVariables: same,
  });
  const bars = panel.type === "bargauge";
  const alignmentFactors = getDisplayValueAlignmentFactors(values);
  const renderValue = ({ value: { display, field, view, colIndex }, count, ...size }) => {
    const shared = { theme, value: display, alignmentFactors, width: size.width, height: size.height };
    return bars
      ? <BarGauge
          {...shared} {...options} field={field} orientation={VizOrientation.Horizontal}
          display={view?.getFieldDisplayProcessor(colIndex)} valueDisplayMode={options.valueMode}
        />
      : <BigValue {...shared} {...options} count={count} />;
  };
  return (
    <VizRepeater
      autoGrid={!bars} getValues={() => values} height={height} itemSpacing={8} maxVizHeight={options.maxVizHeight}
      minVizHeight={options.minVizHeight} minVizWidth={options.minVizWidth} renderCounter={0}
      orientation={bars ? VizOrientation.Horizontal : VizOrientation.Auto} renderValue={renderValue}
      source={values} width={width}
    />
  );
}

const PANELS = { timeseries: Graph, stat: Values, bargauge: Values };
const roots = new Map();

function draw(element) {
  const { panel, ...data } = JSON.parse(element.dataset.panel);
  const theme = createTheme({ colors: { mode: document.documentElement.dataset.theme } });
  const { clientWidth: width, clientHeight: height } = element;
  if (!width || !height) return; // on a dashboard that is hidden
  if (!roots.has(element))
    roots.set(element, createRoot(element, {
      onUncaughtError: (error) => { element.textContent = `Grafana's code fails here: ${error.message}`; },
    }));
  const Panel = PANELS[panel.type];
  roots.get(element).render(
    <ThemeContext.Provider value={theme}>
      <Panel key={theme.name} panel={panel} data={data} theme={theme} width={width} height={height} />
    </ThemeContext.Provider>,
  );
}

document.head.append(Object.assign(document.createElement("style"), { textContent: plotStyle }));
const elements = document.querySelectorAll("[data-panel]");
// Sizes are of this font, which `page.html` names: with another the numbers would not fit.
document.fonts.load("12px Inter").finally(() => {
  const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => draw(target)));
  // What nobody sees is drawn when it is scrolled to.
  const seen = new IntersectionObserver(
    (entries) => entries.filter((one) => one.isIntersecting).forEach(({ target }) => {
      seen.unobserve(target);
      resized.observe(target);
    }),
    { rootMargin: "600px" },
  );
  elements.forEach((element) => seen.observe(element));
  const themed = new MutationObserver(() => roots.forEach((_, element) => draw(element)));
  themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
});
