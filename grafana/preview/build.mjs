// Makes what `glasshouse preview` puts into its page: panels.js of Grafana's packages and of
// panels.jsx, and beside it the licences of what went in. `npm ci && npm run build`.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const OUT = "../src/glasshouse_dashboards/preview/panels.js";
const SOURCES = ["build.mjs", "moment-timezone.js", "package-lock.json", "panels.jsx"];
const here = (name) => new URL(name, import.meta.url).pathname;

// A test compares it: the script is committed, and must be of these sources.
const digest = createHash("sha256");
for (const name of SOURCES) digest.update(readFileSync(here(name)));

const { metafile, outputFiles } = await build({
  absWorkingDir: here("."),
  alias: { "moment-timezone": here("moment-timezone.js") },
  banner: { js: `/* Made by grafana/preview/build.mjs, sources ${digest.digest("hex")} */` },
  bundle: true,
  charset: "utf8",
  define: { "process.env.NODE_ENV": '"production"' },
  entryPoints: ["panels.jsx"],
  format: "iife",
  jsx: "automatic",
  legalComments: "none", // they are in the file of licences
  loader: { ".css": "text" },
  metafile: true,
  minify: true,
  outfile: "panels.js",
  target: "es2022",
  write: false,
});
// In a page's script nothing else may look like its end or like a comment of HTML.
const script = outputFiles[0].text.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
writeFileSync(here(OUT), script);

const folders = new Set();
for (const [name, { bytesInOutput }] of Object.entries(Object.values(metafile.outputs)[0].inputs)) {
  const found = /.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(name);
  if (found && bytesInOutput) folders.add(found[0]);
}
const parts = [...folders].map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(here(`${folder}/package.json`)));
  const file = readdirSync(here(folder)).find((one) => /^(licen[cs]e|copying)/i.test(one));
  const text = file ? readFileSync(here(`${folder}/${file}`), "utf8").trim() : "";
  return { name, version, license, text };
});
parts.sort((one, other) => (one.name + one.version < other.name + other.version ? -1 : 1));
const lines = parts.map(({ name, version, license, text }) =>
  `${name} ${version}: ${license}\n${text ? `\n${text}\n` : ""}`);
writeFileSync(here(`${OUT}.LICENSES.txt`), `What panels.js is made of.\n\n${lines.join(`\n${"-".repeat(80)}\n\n`)}`);
console.log(`${(script.length / 1e6).toFixed(2)} MB of ${parts.length} packages`);
