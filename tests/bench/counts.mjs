// SQL round trips and KV calls of each route, as our functions tell them in Server-Timing.

import { setTimeout as sleep } from "node:timers/promises";
import { ask, request } from "./load.mjs";
import { login, register } from "./logins.mjs";
import { ROUTES, seed } from "./routes.mjs";
import { start } from "./stacks.mjs";

const NAMES = ["accounts", "auth", "profile", "resources", "usage", "meters", "jobs", "stripe-webhook"];

/** The limits of requests a minute that `merging` uses up: those of docs/rate-limiting.md. */
const [READS, WRITES] = [100, 10];

/**
 * `trips`: `[route, SQL round trips, KV calls]` of one request to each route. `merging`: `[what, KV calls
 * a request]` of callers at the pace that merges counters most often.
 */
export async function roundTrips() {
  const side = await start("counted", NAMES);
  const trips = [];
  const call = async (worker, bytes, refusable = false) => {
    const { status, headers, body } = await ask(side.port(worker), bytes);
    if (status >= (refusable ? 500 : 300)) throw new Error(`${worker} answered ${status}: ${body}`);
    const [sql, kv] = headers["server-timing"].match(/\d+/g).map(Number);
    return { sql, kv, data: JSON.parse(body).data };
  };
  const counted = async (name, worker, bytes) => {
    const { sql, kv, data } = await call(worker, bytes);
    trips.push([name, sql, kv]);
    return data;
  };
  const post = (path, value, headers) =>
    request("POST", path, { "content-type": "application/json", ...headers }, JSON.stringify(value));
  // A minute's limit in quarters, a second apart: counters are merged for each quarter, once a second at most,
  // where the isolate's requests have paid for it.
  // The handler may refuse (there is a limit of unfinished jobs); the request has counted all the same.
  const merged = async (what, limit, worker, bytes) => {
    let calls = 0;
    for (let sent = 1; sent <= limit; sent += 1) {
      calls += (await call(worker, bytes, true)).kv;
      if (Math.floor((sent * 4) / limit) > Math.floor(((sent - 1) * 4) / limit)) await sleep(1_100);
    }
    return [what, calls / limit];
  };
  try {
    await seed(side.db);
    for (const route of ROUTES.filter(({ worker }) => worker !== "health")) {
      await counted(route.name, route.worker, route.make(1)[0]);
    }
    await register(side);
    const { access_token } = await counted("login", "auth", login());
    const authorization = `Bearer ${access_token}`;
    await counted("usage query", "meters", request("GET", "/api/v1/usage/summary", { authorization }));
    const submit = post("/api/v1/jobs", { type: "usage.export" }, { authorization });
    const job = await counted("job submit", "jobs", submit);
    const status = request("GET", `/api/v1/jobs/${job.id}`, { authorization });
    await counted("job status", "jobs", status);
    const merging = [
      await merged(`${WRITES - 1} writes in a minute`, WRITES - 1, "jobs", submit),
      await merged(`${READS - 10} reads after that`, READS - 10, "jobs", status),
    ];
    return { trips, merging };
  } finally {
    await side.stop();
  }
}
