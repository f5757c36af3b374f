// The work of scripts/requirements; its head says what goes in and out.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const REQUIREMENTS = "docs/requirements.csv";
const COVERAGE = process.env.COVERAGE_FILE ?? "docs/REQUIREMENTS-COVERAGE.md";
const RESULTS = process.env.RESULTS_DIR ?? "target/acceptance";

/** Ends the run with one line that says what to do. */
function die(message) {
  console.error(`requirements: ${message}`);
  process.exit(1);
}

/** The records of a CSV text (RFC 4180), without the first, which names the columns. */
function parseCsv(text) {
  const records = [];
  let record = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)) {
    record.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === "\n") {
      records.push(record);
      record = [];
    }
  }
  return records.slice(1);
}

/** Every requirement, in the order of the file. */
function readRequirements() {
  const rows = new Map();
  for (const [id, priority, text] of parseCsv(readFileSync(REQUIREMENTS, "utf8"))) {
    if (!["must", "should", "could"].includes(priority)) die(`${REQUIREMENTS}: ${id} has priority '${priority}'`);
    if (rows.has(id)) die(`${REQUIREMENTS}: ${id} stands there twice`);
    rows.set(id, { id, priority, text, tests: new Set(), stacks: new Set(), failed: new Set() });
  }
  return rows;
}

function fromJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The results of all suites. Of a test that ran twice on a stack, the last line counts. */
function readResults() {
  const files = existsSync(RESULTS) ? readdirSync(RESULTS).filter((name) => name.endsWith(".jsonl")) : [];
  if (files.length === 0) die(`there are no results in ${RESULTS}; run scripts/test first`);
  const results = new Map();
  for (const file of files.sort()) {
    for (const [index, line] of readFileSync(`${RESULTS}/${file}`, "utf8").split("\n").entries()) {
      if (line.trim() === "") continue;
      const where = `${RESULTS}/${file}:${index + 1}`;
      const result = fromJson(line) ?? die(`${where} is not JSON`);
      const { stack, test, rows, outcome } = result;
      const sound = [stack, test].every((part) => part && typeof part === "string") && Array.isArray(rows);
      if (!sound || !["passed", "failed"].includes(outcome)) {
        die(`${where} lacks stack, test, rows or an outcome of passed or failed`);
      }
      // Blanks and commas separate what is printed, so no name may hold one.
      results.set(`${stack} ${test}`, { ...result, test: test.replaceAll(/[\s,]+/g, "_"), where });
    }
  }
  return [...results.values()];
}

/** Notes at each requirement who proves it. */
function assign(rows, results) {
  const unknown = [];
  for (const { stack, test, rows: ids, outcome, where } of results) {
    for (const id of ids) {
      const row = rows.get(id);
      if (!row) unknown.push(`${where}: ${test} names ${id}`);
      else if (outcome === "failed") row.failed.add(`${test} (${stack})`);
      else {
        row.tests.add(test);
        row.stacks.add(stack);
      }
    }
  }
  if (unknown.length > 0) die(`these rows are not in ${REQUIREMENTS}:\n${unknown.join("\n")}`);
}

const joined = (set, separator = " ") => [...set].sort().join(separator);
/** Counts of each group and of all: name, proven, rows, proven musts, musts. */
function totals(rows) {
  const groups = new Map();
  for (const row of rows) {
    for (const name of [row.id.split("-")[0], "all"]) {
      const group = groups.get(name) ?? { name, proven: 0, total: 0, mustProven: 0, must: 0 };
      const [proven, must] = [row.tests.size > 0, row.priority === "must"];
      group.total += 1;
      group.proven += Number(proven);
      group.must += Number(must);
      group.mustProven += Number(must && proven);
      groups.set(name, group);
    }
  }
  const all = groups.get("all");
  groups.delete("all");
  return [...groups.values(), all].map(Object.values);
}

/** A Markdown table; a pipe inside a cell would end it. */
function table(head, body) {
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...body.map(line)].join("\n");
}

function markdown(rows) {
  const failed = rows.filter((row) => row.failed.size > 0);
  const [proven, open] = [true, false].map((wanted) => rows.filter((row) => row.tests.size > 0 === wanted));
  const parts = [
    "# Requirements and their tests",
    "Written by `scripts/requirements` from [requirements.csv](requirements.csv) and the results of the last runs.\n" +
      "A row counts as proven when a test that names it has passed; its stacks are those where one did.",
    table(["group", "proven", "rows", "must, proven", "must"], totals(rows)),
  ];
  if (failed.length > 0) {
    parts.push("## Failed", table(["row", "tests"], failed.map((row) => [row.id, joined(row.failed, ", ")])));
  }
  const cells = (row) => [row.id, row.priority, row.text, joined(row.tests, "<br>"), joined(row.stacks, "<br>")];
  parts.push("## Proven", table(["row", "priority", "requirement", "tests", "stacks"], proven.map(cells)));
  parts.push("## Without a test", table(["row", "priority", "requirement"], open.map((row) => cells(row).slice(0, 3))));
  return `${parts.join("\n\n")}\n`;
}

const [option, ...more] = process.argv.slice(2);
if (more.length > 0 || (option !== undefined && option !== "--csv")) die("takes nothing but --csv; see --help");
const byId = readRequirements();
assign(byId, readResults());
const rows = [...byId.values()];
if (option === "--csv") {
  const lines = rows.map((row) => [row.id, row.priority, joined(row.tests), joined(row.stacks)].join(","));
  console.log(lines.join("\n"));
} else {
  for (const row of rows.filter((row) => row.tests.size > 0 || row.failed.size > 0)) {
    const failed = row.failed.size > 0 ? `  FAILED: ${joined(row.failed)}` : "";
    console.log(`${row.id.padEnd(6)} ${joined(row.tests)} [${joined(row.stacks)}]${failed}`);
  }
  console.log("\ngroup  proven  of rows  must proven  of must");
  for (const [name, ...counts] of totals(rows)) {
    console.log(name.padEnd(5) + counts.map((count, at) => String(count).padStart([8, 9, 13, 9][at])).join(""));
  }
  writeFileSync(COVERAGE, markdown(rows));
  console.log(`\nwrote ${COVERAGE}`);
}
