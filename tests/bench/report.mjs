// docs/BENCHMARKS.md from what was measured.

import { cpus } from "node:os";

const number = (value, digits = 0) =>
  value === undefined ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const times = (value) => `${number(value, 2)}×`;
const micros = (seconds) => (seconds === undefined ? undefined : seconds * 1e6);

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** What the budgets of the design ask, and what came out. */
function budgets({ routes, trips, startup }) {
  const sql = (names) => Math.max(...trips.filter(([name]) => names.includes(name)).map(([, count]) => count));
  const kv = trips.reduce((sum, [, , count]) => sum + count, 0) / trips.length;
  const ours = startup.filter(([, wasm]) => wasm !== undefined);
  const rows = routes.map(({ name, ours, hono, events }) => {
    const ratio = ours.rate / hono.rate;
    return [`${events ? "events/s" : "requests/s"} against Hono: ${name}`, events ? 2 : 1, ratio, times, (is, want) => is >= want];
  });
  const atMost = (is, want) => is <= want;
  rows.unshift(
    ["SQL round trips: me, job status, usage query", 1, sql(["me, token first seen", "me, token repeated", "job status", "usage query"]), number, atMost],
    ["SQL round trips: login, refresh, job submit, Stripe event", 2, sql(["login", "refresh", "job submit", "Stripe event"]), number, atMost],
    ["SQL round trips: ingest of up to 100 events", 1, sql(["ingest of 1", "ingest of 100"]), number, atMost],
    ["KV calls on an authenticated request, below", 0.1, kv, (value) => number(value, 2), (is, want) => is < want],
    ["Wasm of one function, gzip, KB", 250, Math.max(...ours.map(([, wasm]) => wasm)), number, atMost],
    ["start-up CPU of one function, ms", 20, Math.max(...ours.map(([, , , cpu]) => cpu)), (value) => number(value, 1), atMost],
  );
  rows.push(["p95 at 50 connections, ms", 200, Math.max(...routes.map(({ crowd }) => crowd.ours.p95)), number, atMost]);
  return rows.map(([what, want, is, show, holds]) => {
    const by = Math.abs(is / want - 1) * 100;
    return [what, show(want), show(is), holds(is, want) ? "met" : `missed by ${number(by)} %`];
  });
}

const NOTES = `## How to read this

- A ratio is ours to Hono: above 1 we are faster. Requests/s and milliseconds are those of the machine
  named above, which generates the load too; only the ratios mean anything elsewhere.
- Both sides run in one workerd each, every function on a socket of its own: no gateway, no proxy of
  wrangler. Each has its own local D1 and KV. Rounds alternate, both sides get the very same requests,
  and the medians are shown; the range of the ratios tells how noisy the machine was.
- The Hono side (\`tests/bench/hono\`) is what a good user of Hono writes: its own middleware for request
  ids, security headers, CORS and body size, jose for tokens, WebCrypto for signatures, as few D1 calls as
  it can. Before a route is measured, both sides must answer the same to good, repeated and bad requests,
  with the same header fields; afterwards both databases must hold the same.
- Ours runs with \`ENVIRONMENT=production\` and \`LOG_LEVEL=warn\`, so that neither side logs. At the default
  level ours writes one line for each request.
- What Hono's ingest does not have: it reads what is known and the quota in one call and writes in another,
  so two requests at once with the same new event count it twice, and two at the limit both pass. Ours is
  one transaction.
- The local D1 is SQLite in the same process; in production the call goes over a network, and then the
  number of round trips decides.
- CPU is that of the workerd process, D1 included. Start-up is the CPU to compile a bundle and run its top
  level, the Wasm instance included, in Node, which has the same engine.
`;

/** The whole page. */
export function markdown({ routes, trips, startup, quick }) {
  const speed = routes.map(({ name, ours, hono, ratios, events = 1 }) => [
    name,
    `**${times(ours.rate / hono.rate)}**`,
    `${times(Math.min(...ratios))} to ${times(Math.max(...ratios))}`,
    ours.cpu === undefined ? "–" : times(hono.cpu / ours.cpu),
    number(ours.rate * events),
    number(hono.rate * events),
    number(micros(ours.cpu)),
    number(micros(hono.cpu)),
  ]);
  const crowd = routes.map(({ name, crowd: { ours, hono } }) => [
    name,
    number(ours.p95, 1),
    number(hono.p95, 1),
    times(ours.rate / hono.rate),
  ]);
  const parts = [
    "# Benchmarks",
    `Written by \`scripts/bench${quick ? " --quick" : ""}\` on ${new Date().toISOString().slice(0, 10)}, on ${cpus().length} × ${cpus()[0].model}.`,
    "## Budgets",
    table(["what", "budget", "measured", ""], budgets({ routes, trips, startup })),
    "## Throughput, 16 connections",
    table(["route", "ratio", "in single rounds", "ratio by CPU", "ours/s", "Hono/s", "ours, µs CPU", "Hono, µs CPU"], speed),
    "The ingest of 100 is in events/s.",
    "## 50 connections",
    table(["route", "p95 ours, ms", "p95 Hono, ms", "ratio of requests/s"], crowd),
    "## Round trips of one request",
    table(["route", "SQL", "KV"], trips),
    "## Size and start",
    table(
      ["function", "Wasm, KB gzip", "script, KB gzip", "start-up CPU, ms"],
      startup.map(([name, wasm, script, cpu]) => [name, number(wasm), number(script), number(cpu, 1)]),
    ),
    NOTES.trimEnd(),
  ];
  return `${parts.join("\n\n")}\n`;
}
