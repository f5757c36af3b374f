import { api, ok } from "./common.js";

const app = api();
app.get("/healthz", (c) => ok(c, { status: "ok" }));

export default app;
