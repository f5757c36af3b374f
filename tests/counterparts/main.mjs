// Runs every counterpart against a server: main.mjs URL STACK RESULTS [PYTHON]
//
// PYTHON is one that has PyJWT; without it that case is reported as not run. Results are lines as the
// acceptance suite writes them.

import { writeFileSync } from "node:fs";
import { Api } from "./api.mjs";
import { client, clientRetries, clientSwaps } from "./client.mjs";
import { issuer } from "./issuer.mjs";
import { jose } from "./jose.mjs";
import { oauth2 } from "./oauth2.mjs";
import { otplib } from "./otplib.mjs";
import { pyjwt } from "./pyjwt.mjs";
import { stripe } from "./stripe.mjs";

const [url, stack, results, python] = process.argv.slice(2);
const api = new Api(url);
const cases = [
  ["jose", "verifies_our_access_tokens", ["A-13"], jose],
  ["PyJWT", "verifies_our_access_tokens", ["A-13"], python && ((api) => pyjwt(api, python))],
  ["otplib", "enrols_and_signs_in", ["D-02", "D-04"], otplib],
  ["jose as issuer", "signs_what_we_exchange", ["A-22"], issuer],
  ["oauth2-mock-server", "signs_in_through_us", ["D-11", "D-12"], oauth2],
  ["stripe", "signs_what_we_take", ["H-03", "H-04", "H-06", "H-35"], stripe],
  ["client", "refreshes_and_tells", ["A-46"], client],
  ["client again", "sends_the_same_key", ["F-23"], clientRetries],
  ["client drafts", "get_their_ids", ["AA-06"], clientSwaps],
];
const told = [];
const lines = [];
for (const [name, does, rows, run] of cases) {
  if (!run) {
    told.push(`${name} not run`);
    continue;
  }
  const started = performance.now();
  let outcome = "passed";
  try {
    await run(api);
    told.push(`${name} ok`);
  } catch (error) {
    outcome = "failed";
    told.push(`${name} FAILED`);
    console.error(`${name} (${stack}):`, error);
    process.exitCode = 1;
  }
  const ms = Math.round(performance.now() - started);
  const test = `counterparts::${name.replaceAll(" ", "_")}_${does}`;
  lines.push(JSON.stringify({ stack, test, group: "counterparts", rows, outcome, ms }));
}
writeFileSync(results, `${lines.join("\n")}\n`);
console.log(`counterparts: ${told.join(", ")}`);
