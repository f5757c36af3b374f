// What ingest reaches of SQLite's own pace, and what it costs when much is stored already.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuSeconds, fire, median } from "./load.mjs";
import { ingest, seed, TENANT } from "./routes.mjs";
import { start } from "./stacks.mjs";

const SIZES = [1, 100, 1_000];

/** Events a second that rusqlite writes in one process, by the size of a batch; where the databases of both sides lie. */
export function bare(seconds) {
  const directory = mkdtempSync(join(tmpdir(), "bare-"));
  try {
    const cargo = ["run", "--quiet", "--release", "-p", "edgekeep-bench-bare", "--"];
    const output = execFileSync("cargo", [...cargo, directory, seconds, ...SIZES].map(String), { encoding: "utf8" });
    const lines = output.trim().split("\n").map((line) => line.split(" ").map(Number));
    return Object.fromEntries(lines);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Stored events of the tenant, from `from` to `to`, spread over the month that may still be sent. */
function store(db, from, to) {
  const now = Date.now();
  return db
    .prepare(
      `WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2)
       INSERT INTO usage_events (tenant_id, source, event_id, meter, quantity, subject, occurred_at, received_at)
       SELECT ?3, 'stored', 'evt-' || i, 'api.calls', 1, 'cus_1', ?4 - (i * 7919) % 2592000000, ?4 FROM n`,
    )
    .bind(from, to, TENANT, now)
    .run();
}

/** Batches that are measured at once: the kernel counts CPU in hundredths of a second. */
const BATCHES = 100;

/**
 * `[stored events, microseconds of CPU for a batch of 100]` as the table grows tenfold at a time up to `most`: the
 * median of `rounds` rounds, one batch after the other.
 */
export async function growth(most, rounds) {
  const side = await start("ours", ["usage"]);
  const found = [];
  const batches = () => Array.from({ length: BATCHES }, () => ingest(100));
  try {
    await seed(side.db);
    await fire(side.port("usage"), batches(), 1);
    for (let stored = 0, next = 10_000; next <= most; stored = next, next *= 10) {
      for (let from = stored; from < next; from += 90_000) await store(side.db, from, Math.min(from + 90_000, next));
      const costs = [];
      for (let round = 0; round < rounds; round += 1) {
        const before = cpuSeconds(side.pid);
        const { statuses } = await fire(side.port("usage"), batches(), 1);
        if (statuses[200] !== BATCHES) throw new Error(`ingest answered ${JSON.stringify(statuses)}`);
        costs.push((cpuSeconds(side.pid) - before) / BATCHES);
      }
      found.push([next, median(costs) * 1e6]);
    }
    return found;
  } finally {
    await side.stop();
  }
}
