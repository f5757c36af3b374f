// Which requirements the cargo tests prove: unit-results.mjs LOG
//
// A test names its rows in a comment directly above it, `/// Rows: Q-03 Q-04`: above `#[test]`, above
// the function of a conformance case, or above the line that names a trial of libtest-mimic. This joins
// those lines with LOG, the output of `cargo test`, and writes unit.jsonl beside it for requirements.mjs.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** A line of rows, and what may stand between it and the name of its test. */
const ROWS = /^\s*\/\/\/?\s*Rows:\s*(.*)$/;
const BETWEEN = /^\s*(\/\/.*|#\[.*|Trial::test\(|\)?\]?,?)?$/;
/** The name of a test: of a function, or in quotes as the log has it. */
const NAMED = /^\s*(?:(?:pub(?:\(\w+\))? )?(?:async )?fn (\w+)|(?:Trial::test\(|(?:vec!\[)?\()?"([\w:.]+)")/;
const ROW = /^[A-Z]{1,2}-\d{2}$/;

const problems = [];
const packages = ["shared", "tests"]
  .flatMap((directory) => readdirSync(directory).map((name) => `${directory}/${name}`))
  .filter((directory) => existsSync(`${directory}/Cargo.toml`))
  .sort();

/** The Rust files of a package. */
const sourcesOf = (directory) =>
  readdirSync(directory, { recursive: true })
    .filter((name) => /^(src|tests)\/.*\.rs$/.test(name))
    .map((name) => `${directory}/${name}`)
    .sort();

/** The packages whose test binary cargo announced. */
function owners(source, binary) {
  const there = packages.filter((directory) => existsSync(`${directory}/${source}`));
  if (source !== "src/lib.rs") return there;
  const name = (directory) => /^name = "(.*)"/m.exec(readFileSync(`${directory}/Cargo.toml`, "utf8"))?.[1];
  return there.filter((directory) => name(directory)?.replaceAll("-", "_") === binary);
}

/** Every test of the log: the packages it may be of, its name and its outcome. */
function readLog(text) {
  const tests = [];
  let [directories, binary] = [[], ""];
  for (const line of text.split("\n")) {
    const running = /^\s*Running (?:unittests )?(\S+) \(\S*?([^/\s]+)-[0-9a-f]+\)/.exec(line);
    if (running) [directories, binary] = [owners(running[1], running[2]), running[2]];
    else if (/^\s*Doc-tests /.test(line)) directories = [];
    const test = /^test (\S+)(?: - should panic)?\s+\.\.\. (ok|FAILED|ignored)/.exec(line);
    if (test) tests.push({ directories, binary, name: test[1], outcome: test[2] });
  }
  return tests;
}

/** The names after a module's own, without the module `tests` that holds them. */
const parts = (name) => name.split(/::|\./).filter((part) => part !== "tests");

/** The module that a source file is, as the last part but one of its tests' names. */
function moduleOf(file) {
  const path = file.replace(/\.rs$/, "").split("/");
  return path.filter((part) => !["mod", "tests", "lib", "main"].includes(part)).at(-1);
}

/** Whether a test of the log is the one that a source file names. */
function fits(test, claim) {
  if (!test.directories.includes(claim.directory)) return false;
  if (claim.quoted) return test.name === claim.quoted;
  // At the top of a file in tests/ a test has no module but its binary.
  const [module, name] = [test.binary, ...parts(test.name)].slice(-2);
  return name === claim.fn && module === claim.module;
}

/** The rows that a source file claims, with the test that each line stands above. */
function claimsOf(file) {
  const lines = readFileSync(file, "utf8").split("\n");
  const claims = [];
  for (const [index, line] of lines.entries()) {
    const rows = ROWS.exec(line)?.[1].trim().split(/[\s,]+/);
    if (!rows) continue;
    const where = `${file}:${index + 1}`;
    const wrong = rows.filter((row) => !ROW.test(row));
    if (wrong.length > 0) problems.push(`${where}: '${wrong.join(" ")}' is no row`);
    const below = lines.slice(index + 1, index + 8);
    const named = NAMED.exec(below.find((text) => NAMED.test(text) || !BETWEEN.test(text)) ?? "");
    if (!named) problems.push(`${where}: stands above no test`);
    else {
      const directory = file.split("/").slice(0, 2).join("/");
      claims.push({ where, rows, directory, fn: named[1], quoted: named[2], module: moduleOf(file) });
    }
  }
  return claims;
}

/** Where a test ran: on a native database, or on none. */
function stackOf(directory, name) {
  if (directory === "tests/robustness" || /^sqlite::|_on_sqlite$/.test(name)) return "native-sqlite";
  if (/^postgres::|_on_postgres$/.test(name)) return "native-postgres";
  return "unit";
}

const [log, ...more] = process.argv.slice(2);
if (!log || more.length > 0) {
  console.error("unit-results: needs the output of cargo test: node scripts/lib/unit-results.mjs LOG");
  process.exit(1);
}
const tests = readLog(readFileSync(log, "utf8"));
const results = new Map();
for (const claim of packages.flatMap(sourcesOf).flatMap(claimsOf)) {
  const found = tests.filter((test) => fits(test, claim));
  if (found.length === 0) problems.push(`${claim.where}: ${claim.quoted ?? claim.fn} is not in ${log}`);
  for (const { name, outcome } of found.filter((test) => test.outcome !== "ignored")) {
    const test = `${claim.directory.split("/")[1]}::${name}`;
    const result = results.get(test) ?? { stack: stackOf(claim.directory, name), test, group: "cargo", rows: [] };
    result.rows.push(...claim.rows);
    result.outcome = outcome === "ok" ? "passed" : "failed";
    results.set(test, result);
  }
}
if (problems.length > 0) {
  console.error(`unit-results: these lines of rows prove nothing:\n${problems.join("\n")}`);
  process.exit(1);
}
const out = `${dirname(log)}/unit.jsonl`;
writeFileSync(out, [...results.values()].map((result) => `${JSON.stringify(result)}\n`).join(""));
console.log(`${results.size} of ${tests.length} cargo tests name rows: ${out}`);
