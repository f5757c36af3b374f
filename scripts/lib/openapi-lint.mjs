// Lints docs/openapi.json: its structure by OpenAPI 3.1, and the rules that tools recommend.
import { createConfig, lint } from "@redocly/openapi-core";

const config = await createConfig({
  extends: ["recommended"],
  rules: {
    // A redirect is how the first half of a sign-in by another provider succeeds.
    "operation-2xx-response": "off",
  },
});
const file = new URL("../../docs/openapi.json", import.meta.url).pathname;
const problems = await lint({ ref: file, config });
for (const { ruleId, message, location } of problems) {
  console.error(`docs/openapi.json${location[0]?.pointer ?? ""}: ${message} (${ruleId})`);
}
process.exit(problems.length === 0 ? 0 : 1);
