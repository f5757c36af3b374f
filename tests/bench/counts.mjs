// SQL round trips and KV calls of each route, as our functions tell them in Server-Timing.

import { ask, request } from "./load.mjs";
import { ROUTES, seed } from "./routes.mjs";
import { start } from "./stacks.mjs";

const NAMES = ["auth", "usage", "jobs", "stripe-webhook"];

/** `[route, SQL round trips, KV calls]` of one request to each route. */
export async function roundTrips() {
  const side = await start("counted", NAMES);
  const trips = [];
  const call = async (name, worker, bytes) => {
    const { status, headers, body } = await ask(side.port(worker), bytes);
    if (status >= 300) throw new Error(`${name} answered ${status}: ${body}`);
    if (name) trips.push([name, ...headers["server-timing"].match(/\d+/g).map(Number)]);
    return JSON.parse(body).data;
  };
  const post = (path, value, headers) =>
    request("POST", path, { "content-type": "application/json", ...headers }, JSON.stringify(value));
  try {
    await seed(side.db);
    for (const route of ROUTES.filter(({ worker }) => worker !== "health")) {
      await call(route.name, route.worker, route.make(1)[0]);
    }
    const email = "b@bench.invalid";
    const password = "correct horse battery staple 7";
    await call("", "auth", post("/api/v1/auth/register", { email, password }));
    const [mail] = await call("", "auth", request("GET", `/api/v1/dev/mailbox?to=${email}`));
    const token = new URL(mail.link).searchParams.get("token");
    await call("", "auth", post("/api/v1/auth/verify", { token }));
    const { access_token, refresh_token } = await call("login", "auth", post("/api/v1/auth/login", { email, password }));
    await call("refresh", "auth", post("/api/v1/auth/refresh", { refresh_token }));
    const authorization = `Bearer ${access_token}`;
    await call("usage query", "usage", request("GET", "/api/v1/usage/summary", { authorization }));
    const job = await call("job submit", "jobs", post("/api/v1/jobs", { type: "usage.export" }, { authorization }));
    await call("job status", "jobs", request("GET", `/api/v1/jobs/${job.id}`, { authorization }));
    return trips;
  } finally {
    await side.stop();
  }
}
