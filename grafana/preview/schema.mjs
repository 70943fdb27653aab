// Prints in which kinds of ways the dashboards are not what @grafana/schema, Grafana's own types, says.
// `npm run schema` writes it to schema.txt, which a test holds it to. Types say more than a schema:
// an option that Grafana does not know is an error, too.
import { readdirSync, readFileSync } from "node:fs";
import ts from "typescript";

const here = (name) => new URL(name, import.meta.url).pathname;
const DASHBOARDS = process.argv[2] ?? here("../dashboards/");
const TYPES = "./node_modules/@grafana/schema/dist/types/raw";
const PANELS = ["timeseries", "stat", "bargauge", "table", "logs"];
const WITH_FIELDS = ["timeseries", "table"]; // the others add no field options of their own

const lines = [
  `import type { Dashboard } from "${TYPES}/dashboard/x/types.gen";`,
  ...PANELS.map((one) => `import type * as ${one} from "${TYPES}/composable/${one}/panelcfg/x/types.gen";`),
  // JSON has the values of enums as texts.
  "type Loose<T> = T extends string ? `${T}` : T extends (infer U)[] ? Loose<U>[] : T extends object ? { [K in keyof T]: Loose<T[K]> } : T;",
];
const check = (value, type) => lines.push(`(${JSON.stringify(value)}) satisfies Partial<Loose<${type}>>;`);
for (const name of readdirSync(DASHBOARDS).sort()) {
  const { panels, ...dashboard } = JSON.parse(readFileSync(DASHBOARDS + name));
  check({ ...dashboard, panels: [] }, "Dashboard");
  for (const panel of panels.filter(({ type }) => type !== "row")) {
    if (!PANELS.includes(panel.type)) throw new Error(`${name}: add the type ${panel.type} to PANELS`);
    check(panel.options, `${panel.type}.Options`);
    const { custom } = panel.fieldConfig?.defaults ?? {};
    if (custom && WITH_FIELDS.includes(panel.type)) check(custom, `${panel.type}.FieldConfig`);
  }
}

const file = here("dashboards.ts");
const options = {
  module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, noEmit: true,
  skipLibCheck: true, strict: true, target: ts.ScriptTarget.ES2022,
};
const host = ts.createCompilerHost(options);
const read = host.getSourceFile.bind(host);
host.getSourceFile = (name, ...rest) =>
  name === file ? ts.createSourceFile(name, lines.join("\n"), ...rest) : read(name, ...rest);
const found = ts.getPreEmitDiagnostics(ts.createProgram([file], options, host)).map(({ messageText }) => {
  const text = ts.flattenDiagnosticMessageText(messageText, " ");
  return text.replace(/ in type .*/s, "").replace(/^Object literal may only specify known properties, and /, "");
});
const kinds = [...new Set(found)].sort();
process.stdout.write(kinds.map((one) => `${one}\n`).join(""));
