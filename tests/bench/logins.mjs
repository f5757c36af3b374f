// Sign-ins by password, which cost what hashing costs: their time, and the memory of many at once.

import { readFileSync, writeFileSync } from "node:fs";
import { ask, cpuSeconds, fire, request } from "./load.mjs";
import { refresh, seed } from "./routes.mjs";
import { start } from "./stacks.mjs";

const [EMAIL, PASSWORD] = ["b@bench.invalid", "correct horse battery staple 7"];
const post = (path, value) =>
  request("POST", path, { "content-type": "application/json" }, JSON.stringify(value));

export const login = (email = EMAIL) => post("/api/v1/auth/login", { email, password: PASSWORD });

/** An account that `login` signs in to, made by the routes of a side that shows its mails. */
export async function register(side) {
  const send = async (bytes) => {
    const { status, body } = await ask(side.port("accounts"), bytes);
    if (status >= 300) throw new Error(`accounts answered ${status}: ${body}`);
    return JSON.parse(body).data;
  };
  await send(post("/api/v1/auth/register", { email: EMAIL, password: PASSWORD }));
  const [mail] = await send(request("GET", `/api/v1/dev/mailbox?to=${EMAIL}`));
  await send(post("/api/v1/auth/verify", { token: new URL(mail.link).searchParams.get("token") }));
}

/** Accounts with the same password, since one account's attempts at once are soon locked out: their addresses. */
async function copies({ db }, count) {
  const numbers = Array.from({ length: count }, (_, number) => String(number));
  const original = `(SELECT id FROM users WHERE email = '${EMAIL}')`;
  const user = `INSERT INTO users (id, email, password_hash, email_verified_at, created_at, updated_at)
    SELECT id || ?1, ?1 || email, password_hash, email_verified_at, created_at, updated_at FROM users WHERE id = ${original}`;
  const membership = `INSERT INTO memberships (tenant_id, user_id, role, created_at)
    SELECT tenant_id, user_id || ?1, role, created_at FROM memberships WHERE user_id = ${original}`;
  await db.batch([user, membership].flatMap((sql) => numbers.map((number) => db.prepare(sql).bind(number))));
  return numbers.map((number) => `${number}${EMAIL}`);
}

/** The most memory that a process held at once since it was last asked to forget, in MB; NaN without /proc. */
function peak(pid, { forget = false } = {}) {
  try {
    if (forget) writeFileSync(`/proc/${pid}/clear_refs`, "5");
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

/**
 * CPU in ms of a sign-in and of a refresh, which is the same but for the hash; and of `count` sign-ins at once
 * the statuses, and the MB that workerd needed more than before the first, its other isolates included.
 */
export async function logins(count) {
  const side = await start("logins", ["accounts", "auth"]);
  try {
    await seed(side.db);
    // An isolate of `auth` that has hashed nothing yet.
    await register(side);
    const emails = await copies(side, count);
    await ask(side.port("auth"), refresh());
    const before = peak(side.pid, { forget: true });
    const { statuses } = await fire(side.port("auth"), emails.map(login), count);
    const memory = peak(side.pid) - before;
    const cost = async (requests) => {
      const used = cpuSeconds(side.pid);
      await fire(side.port("auth"), requests, 1);
      return ((cpuSeconds(side.pid) - used) / requests.length) * 1000;
    };
    const refreshed = await cost(Array.from({ length: 400 }, refresh));
    const signedIn = await cost(Array(20).fill(login()));
    return { count, statuses, memory, signedIn, refreshed };
  } finally {
    await side.stop();
  }
}
