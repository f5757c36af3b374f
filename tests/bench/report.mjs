// docs/BENCHMARKS.md from what was measured.

import { cpus, loadavg } from "node:os";

const number = (value, digits = 0) =>
  value === undefined || Number.isNaN(value) ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const times = (value) => (Number.isNaN(value) ? "–" : `${number(value, 2)}×`);

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Why a budget is missed, as a profile of workerd told; said only when it is. */
const WHY = {
  "me, token first seen": `Wasm verifies Ed25519 in software, WebCrypto natively; an isolate does it once a token. The rest
    of the request is level.`,
  refresh: `signing the new access token is Ed25519 in Wasm, against WebCrypto's, and the same statements.`,
  "ingest of 100": `the budget counts on round trips, of which ours makes one and Hono two, and here they cost little. Both sides
    write the same rows and index entries, which is most of the CPU of either; ours judges key, quota and
    duplicates in the same transaction.`,
  "me, token repeated": `three statements in the one round trip, where Hono has two: the session's state is judged by one rule for
    every route, and the profile is read besides.`,
  "Stripe event": `one statement more in the second of the same two round trips: ours takes the plan from the tenant that
    loses the subscription. HMAC-SHA-256 is in Wasm, against WebCrypto's.`,
  p95: `50 clients that never pause and a D1 that works on one batch at a time: this is the time in its queue, and it
    grows with whatever else the machine does. Hono's is among the absolute numbers below.`,
};

const told = (statuses) => Object.entries(statuses).map(([status, count]) => `${count} times ${status}`).join(" and ");
const lines = (text) => text.replace(/\s+/g, " ").replace(/(.{1,100})(?: |$)/g, "$1\n  ").trimEnd();

/** Rows of `[what, budget, measured, verdict]`, and a line for each budget that is missed. */
function budgets({ routes, trips, merging, hashing, startup }) {
  const open = [];
  const judge = (what, want, is, holds, { digits = 0, unit = "", why, note = "" }) => {
    const by = `missed by ${number(Math.abs(is / want - 1) * 100)} %${note}`;
    const reason = WHY[why] ?? "no reason is known.";
    if (!holds) open.push(lines(`- **${what}**, ${by}: ${reason}`));
    return [what, number(want, digits) + unit, number(is, digits) + unit, holds ? `met${note}` : by];
  };
  const atMost = (what, want, is, more = {}) => judge(what, want, is, is <= want, more);
  const atLeast = (what, want, is, more) => judge(what, want, is, is >= want, more);
  const sql = (names) => Math.max(...trips.filter(([name]) => names.includes(name)).map(([, count]) => count));
  const largest = (column) => Math.max(...startup.filter(([, wasm]) => wasm !== undefined).map((row) => row[column]));
  const slow = routes.filter(({ crowd }) => crowd.ours.p95 > 200).map(({ name }) => name);
  const rows = [
    atMost("SQL round trips: me, job status, usage query", 1, sql(["me, token first seen", "me, token repeated", "job status", "usage query"])),
    atMost("SQL round trips: login, refresh, job submit, Stripe event", 2, sql(["login", "refresh", "job submit", "Stripe event"])),
    atMost("SQL round trips: ingest of up to 100 events", 1, sql(["ingest of 1", "ingest of 100"])),
    ...merging.map(([what, calls]) => atMost(`KV calls a request, ${what}`, 0.1, calls, { digits: 2 })),
    atMost("Wasm of one function, KB gzip", 250, largest(1)),
    atMost("start-up CPU of one function, ms", 20, largest(3), { digits: 1 }),
    atMost(`memory that ${hashing.count} logins at once add, MB`, 128, hashing.memory),
  ];
  for (const { name, ratio, range, events } of routes) {
    // The budget of ingest is about batches of 100.
    const [want, what] = [events === 100 ? 2 : 1, events ? "events/s" : "requests/s"];
    const note = range[0] < want && want <= range[1] ? ", within the noise" : "";
    rows.push(atLeast(`${what} against Hono: ${name}`, want, ratio.rate, { digits: 2, unit: "×", why: name, note }));
  }
  const p95 = Math.max(...routes.map(({ crowd }) => crowd.ours.p95));
  const note = slow.length ? ` at worst, by ${slow.length} of ${routes.length} routes` : "";
  rows.push(atMost("p95 at 50 clients, ms", 200, p95, { why: "p95", note }));
  return { rows, open };
}

const NOTES = `## How to repeat it

\`scripts/bench\` measures all of it in one run and writes this page, in about ten minutes; it builds and
installs what is missing first. Close what else uses the CPU. \`scripts/bench --quick\` takes a minute and
only prints.

## How to read it

- A ratio above 1 means that ours is better: more requests/s, a shorter p95, less CPU. Absolute numbers are
  those of the machine named above, which generates the load too; only ratios mean anything elsewhere.
- Both sides run in one workerd each, every function on a socket of its own: no gateway, no proxy. Each has
  its own local D1 and KV, in memory where the machine has room. Rounds alternate, both sides get the very
  same requests, ratios are taken round by round, and the median is shown; the middle half of the rounds
  tells how noisy the machine was.
- The Hono side (\`tests/bench/hono\`) is what a good user of Hono writes: its own middleware for request
  ids, security headers, CORS and body size, jose for tokens, WebCrypto for signatures, as few D1 calls as
  it can. Before and after a route is measured, both sides must answer the same to good, repeated and bad
  requests, with the same header fields, and both databases must hold the same.
- "Token repeated" is where ours skips the signature: an isolate remembers tokens that it has verified, and
  jose does not. "Token first seen" is the comparison of the verification itself.
- "Guarded write" makes a project with an idempotency key: token, rate limit, session, key, row, audit entry.
  Hono's side is made of middleware, as its users make it: jose, hono-rate-limiter with its store in memory,
  the session's state, and the key claimed before the handler and completed after it. Ours claims the key
  in the batch that writes the row. "Replayed" repeats one key, so that nothing but the guard runs.
- What Hono's ingest does not have: it reads what is known and the quota in one call and writes in another,
  so two requests at once with the same new event count it twice, and two at the limit both pass. Ours is
  one transaction.
- Ours gives D1 \`+?1\` for \`?1\` ([0012](decisions/0012-signed-placeholders.md)), which Hono's side could do as well. It does
  not, because hardly anybody knows of it; SQLite prepares each of its joins again for every call.
- In production a D1 call goes over a network, and then the number of round trips decides. Here a round trip
  costs little, which favours the side that makes more of them.
- Ours runs with \`ENVIRONMENT=production\` and \`LOG_LEVEL=warn\`, so that neither side logs. At the default
  level ours writes one line for each request. Rate limits are counted and are far away on both sides; KV
  calls are counted under the usual limits, sent at the pace that needs most of them.
- CPU is that of the workerd process, D1 included; other work on the machine disturbs it
  less than requests/s. Start-up is the CPU to compile a bundle and run its top level, the Wasm instance
  included, in Node, which has the same engine.
`;

/** Events a second of each size, and the share of what rusqlite does alone. */
const shares = (routes, bare) =>
  routes
    .filter(({ name }) => name.startsWith("ingest of "))
    .map(({ name, ours, hono, events = 1 }) => {
      const [alone, here, there] = [bare[events], ours.rate * events, hono.rate * events];
      return [name, ...[alone, here, there].map((rate) => number(rate)), `${number((here / alone) * 100)} %`];
    });

/** The whole page. */
export function markdown({ routes, trips, merging, hashing, ingest, startup, quick }) {
  const { rows, open } = budgets({ routes, trips, merging, hashing, startup });
  const speed = routes.map(({ name, ratio, range, crowd }) => [
    name,
    `**${times(ratio.rate)}**`,
    range.map(times).join(" to "),
    times(ratio.p95),
    times(ratio.cpu),
    times(crowd.ratio.rate),
    times(crowd.ratio.p95),
  ]);
  const absolute = routes.map(({ name, ours, hono, crowd }) => [
    name,
    ...[ours.rate, hono.rate].map((rate) => number(rate)),
    ...[ours.cpu, hono.cpu].map((cpu) => number(cpu * 1e6)),
    ...[crowd.ours.p95, crowd.hono.p95].map((p95) => number(p95, 1)),
  ]);
  const calls = Object.fromEntries(routes.map(({ name, calls }) => [name, calls]));
  const parts = [
    "# Benchmarks",
    `Written by \`scripts/bench${quick ? " --quick" : ""}\` on ${new Date().toISOString().slice(0, 10)}, on ${cpus().length} × ${cpus()[0].model}.
Ours against the same routes in Hono, in one run. The machine's load was ${number(loadavg()[0], 1)}; the run itself is 2 or 3 of it, and
what is above makes requests/s and p95 unsteady, and CPU less so.`,
    "## Ratios",
    table(["route", "requests/s", "half of the rounds", "p95", "CPU", "requests/s, 50 clients", "p95, 50 clients"], speed),
    "16 clients where nothing else is said. Above 1 ours is better.",
    "## Budgets",
    table(["what", "budget", "measured", ""], rows),
    "### Open",
    open.length ? open.join("\n") : "None: every budget is met.",
    "## Round trips of one request",
    table(["route", "SQL, ours", "SQL, Hono", "KV, ours"], trips.map(([name, sql, kv]) => [name, sql, calls[name] ?? "–", kv])),
    "## Ingest beside what SQLite can do",
    table(["", "rusqlite, events/s", "ours, events/s", "Hono, events/s", "ours of rusqlite"], shares(routes, ingest.bare)),
    `rusqlite writes the same rows in one process: no HTTP, no JSON, no key, no quota, no D1, and nothing that tells what was stored
before. With more events stored, a batch of 100 costs:`,
    table(["events stored", "µs CPU"], ingest.growth.map((row) => row.map((value) => number(value)))),
    "## Sign-in by password",
    `A sign-in takes ${number(hashing.signedIn, 1)} ms of CPU. A refresh, which writes as much and signs the same tokens, takes
${number(hashing.refreshed, 1)} ms: the rest is Argon2id. ${hashing.count} sign-ins at once were answered ${told(hashing.statuses)}; the most
memory that workerd held while it hashed was ${number(hashing.memory)} MB above what it held before.`,
    "## Size and start",
    table(
      ["function", "Wasm, KB gzip", "script, KB gzip", "start-up CPU, ms"],
      startup.map(([name, wasm, script, cpu]) => [name, number(wasm), number(script), number(cpu, 1)]),
    ),
    "## Absolute numbers of this run",
    table(["route", "ours/s", "Hono/s", "ours, µs CPU", "Hono, µs CPU", "ours, p95 ms, 50 clients", "Hono, p95 ms, 50 clients"], absolute),
    NOTES.trimEnd(),
  ];
  return `${parts.join("\n\n")}\n`;
}
