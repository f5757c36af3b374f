// The work of scripts/bench; its head says what it does.

import { writeFileSync } from "node:fs";
import { bare, growth } from "./ingest.mjs";
import { roundTrips } from "./counts.mjs";
import { ask, cpuSeconds, fire, median, percentile } from "./load.mjs";
import { logins } from "./logins.mjs";
import { markdown } from "./report.mjs";
import { comparable, REFUSED, ROUTES, seed } from "./routes.mjs";
import { start } from "./stacks.mjs";
import { startup } from "./startup.mjs";

const quick = process.argv.includes("--quick");
const only = process.argv.find((argument) => argument.startsWith("--only="))?.slice(7);
// Many short rounds: what disturbs one of them disturbs both sides alike, or is not in the median.
const ROUNDS = quick ? 1 : 15;
const SECONDS = quick ? 0.5 : 0.6;
const WORKERS = ["health", "auth", "profile", "resources", "usage", "meters", "stripe-webhook"];

/** Ends the run: numbers of a side that answers something else mean nothing. */
function agree(what, ours, theirs) {
  if (ours !== theirs) throw new Error(`${what}: the two sides differ\n  ours: ${ours}\n  hono: ${theirs}`);
}

async function rows(route, sides) {
  if (!route.rows) return;
  const [ours, theirs] = await Promise.all(sides.map(({ db }) => db.prepare(route.rows).first()));
  agree(`${route.name}, rows`, JSON.stringify(ours), JSON.stringify(theirs));
}

/** Both sides answer every sample the same, twice: the second time as a repetition. */
async function check(route, sides) {
  for (const [index, bytes] of [...route.make(2), ...REFUSED[route.worker]].entries()) {
    for (const time of ["first", "second"]) {
      const [ours, theirs] = await Promise.all(sides.map((side) => ask(side.port(route.worker), bytes)));
      const what = `${route.name}, sample ${index}, ${time} time`;
      agree(what, `${ours.status} ${comparable(ours.body)}`, `${theirs.status} ${comparable(theirs.body)}`);
      const names = [ours, theirs].map(({ headers }) => Object.keys(headers).sort().join(" "));
      if (ours.status === 200) agree(`${what}, header fields`, names[0], names[1]);
    }
  }
  await rows(route, sides);
}

async function timed(side, route, requests, connections) {
  const before = cpuSeconds(side.pid);
  const { seconds, statuses, latencies } = await fire(side.port(route.worker), requests, connections);
  const cpu = (cpuSeconds(side.pid) - before) / requests.length;
  agree(`${route.name}, statuses of ${side.side}`, JSON.stringify(statuses), `{"${route.status ?? 200}":${requests.length}}`);
  return { rate: requests.length / seconds, p95: percentile(latencies, 0.95), cpu };
}

const medians = (list) => {
  const of = (name) => median(list.map((result) => result[name]));
  return { rate: of("rate"), p95: of("p95"), cpu: of("cpu") };
};

/** How many times as good ours is, by each measure. */
const times = (ours, hono) => ({ rate: ours.rate / hono.rate, p95: hono.p95 / ours.p95, cpu: hono.cpu / ours.cpu });

/** Medians of alternating rounds, in which both sides get the very same requests. */
async function measure(route, sides, connections) {
  const warm = route.make(quick ? 20 : 200);
  const speeds = [];
  for (const side of sides) speeds.push((await timed(side, route, warm, connections)).rate);
  const count = Math.ceil(Math.max(...speeds) * SECONDS);
  const results = sides.map(() => []);
  // One more round than counts: the first still warms up the compilers of both.
  for (let round = 0; round <= ROUNDS; round += 1) {
    const requests = route.make(count);
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    for (const at of order) {
      const result = await timed(sides[at], route, requests, connections);
      if (round > 0) results[at].push(result);
    }
  }
  const [ours, hono] = results.map((list) => medians(list));
  const rounds = results[0].map((result, round) => times(result, results[1][round]));
  const rates = rounds.map(({ rate }) => rate).sort((a, b) => a - b);
  return { ours, hono, ratio: medians(rounds), range: [percentile(rates, 0.25), percentile(rates, 0.75)] };
}

const counts = only ? undefined : await roundTrips();
const hashing = only ? undefined : await logins(32);
const sides = [await start("ours", WORKERS), await start("hono", WORKERS)];
const routes = [];
try {
  for (const { db } of sides) await seed(db);
  for (const route of ROUTES.filter(({ name }) => !only || name.includes(only))) {
    await check(route, sides);
    const throughput = await measure(route, sides, 16);
    const crowd = await measure(route, sides, 50);
    await check(route, sides);
    routes.push({ ...route, ...throughput, crowd });
    const { ratio, range } = throughput;
    const [rate, low, high, cpu] = [ratio.rate, ...range, ratio.cpu].map((number) => `${number.toFixed(2)}×`);
    console.log(`${route.name.padEnd(22)} requests/s ${rate} (half of the rounds ${low} to ${high}), CPU ${cpu}`);
  }
} finally {
  await Promise.all(sides.map((side) => side.stop()));
}
if (!only) {
  const ingest = { bare: bare(quick ? 0.5 : 3), growth: await growth(quick ? 10_000 : 1_000_000, quick ? 1 : 5) };
  const page = markdown({ routes, ...counts, hashing, ingest, startup: startup(), quick });
  if (quick) console.log(page);
  else writeFileSync("docs/BENCHMARKS.md", page);
}
