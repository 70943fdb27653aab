// Prints, as JSON, how Grafana's own code shows numbers in the units that the dashboards use.
// `npm run values` writes it to values.json, which tests hold the preview's tables to.
import { createRequire } from "node:module";

// Grafana asks a browser for its language.
globalThis.navigator = { language: "en-US", languages: ["en-US"] };
const require = createRequire(import.meta.url);
const { formattedValueToString, getValueFormat } = require("@grafana/data");
const { version } = require("@grafana/data/package.json");

const UNITS = [
  "short", "locale", "none", "percent", "percentunit", "s", "bytes", "decbytes", "Bps", "binBps",
  "ops", "reqps", "cps",
];
const NUMBERS = [
  0, 1e-9, 3.2e-7, 0.00042, 0.0123, 0.385, 0.5, 0.9, 0.99, 0.999, 0.9995, 0.99951, 1, 1.5, 2.25,
  2.3, 12.345, 59, 60, 90, 99.95, 120, 999, 999.9, 1000, 1023, 1024, 1234, 1536, 3600, 5400, 65536,
  86400, 90000, 604800, 1e6, 2592000, 31536000, 4e7, 5e9, 1.5e12, 7e15, -0.001, -0.25, -3, -1234.5, -7200,
];
const DECIMALS = [null, 0, 1, 2];

const rows = [];
for (const unit of UNITS)
  for (const value of NUMBERS)
    rows.push([
      unit, value,
      ...DECIMALS.map((decimals) => formattedValueToString(getValueFormat(unit)(value, decimals))),
    ]);
const lines = rows.map((row) => `  ${JSON.stringify(row)}`).join(",\n");
process.stdout.write(`{"version": "${version}", "decimals": ${JSON.stringify(DECIMALS)}, "rows": [\n${lines}\n]}\n`);
