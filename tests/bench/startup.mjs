// What a new isolate costs: the CPU to compile and run a bundle's top level, Wasm instance included.
// Measured in Node, which has workerd's engine, each time in a new process. `node startup.mjs FILE`
// is such a process.

import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { median } from "./load.mjs";

const [, script, bundle] = process.argv;
const self = import.meta.filename;

if (script === self) {
  // What only workerd has: its own module, and Wasm as a module that is compiled already.
  const stand = { "cloudflare:workers": "export class WorkerEntrypoint {}" };
  registerHooks({
    resolve(name, context, next) {
      if (stand[name]) return { url: `data:text/javascript,${stand[name]}`, shortCircuit: true };
      return next(name, context);
    },
    load(url, context, next) {
      if (!url.endsWith(".wasm")) return next(url, { ...context, format: "module" });
      const source = `export default new WebAssembly.Module(process.getBuiltinModule("fs").readFileSync(new URL("${url}")));`;
      return { format: "module", source, shortCircuit: true };
    },
  });
  globalThis.addEventListener = () => {};
  const before = process.cpuUsage();
  await import(pathToFileURL(bundle));
  const { user, system } = process.cpuUsage(before);
  console.log((user + system) / 1000);
}

// As scripts/check measures; the gzip of Node packs 2 % looser.
const gzip = (file) => Math.ceil(execFileSync("gzip", ["-9", "-c", file]).length / 1024);
const cpu = (file) => median(Array.from({ length: 5 }, () => Number(execFileSync(process.execPath, [self, file]))));

/** `[name, KB gzipped of the Wasm, KB of the script, ms of CPU]` of each function and of each Hono bundle. */
export function startup() {
  const ours = readdirSync("functions").map((name) => {
    const build = `functions/${name}/build`;
    return [name, gzip(`${build}/index_bg.wasm`), gzip(`${build}/index.js`), cpu(`${build}/index.js`)];
  });
  const hono = ["health", "auth", "profile", "usage", "stripe-webhook"].map((name) => {
    const file = `target/bench/hono/${name}.js`;
    return [`${name} in Hono`, undefined, gzip(file), cpu(file)];
  });
  return [...ours, ...hono];
}
