// A plain client of the API under test.

import { randomUUID } from "node:crypto";

export const PASSWORD = "correct horse battery staple";

export class Api {
  constructor(base) {
    this.base = base;
  }

  /** An answer's `data`; anything but this status is an error. */
  async call(method, path, { status = 200, body, bearer, headers = {} } = {}) {
    const response = await this.send(method, path, { body, bearer, headers });
    const text = await response.text();
    if (response.status !== status) throw new Error(`${method} ${path}: ${response.status}, not ${status}: ${text}`);
    return JSON.parse(text).data;
  }

  async send(method, path, { body, bearer, headers = {} } = {}) {
    const all = { ...headers };
    if (bearer) all.authorization = `Bearer ${bearer}`;
    if (body) all["content-type"] = "application/json";
    const init = { method, headers: all, body: body && JSON.stringify(body), redirect: "manual" };
    return fetch(this.base + path, init);
  }

  /** A new account whose address is confirmed. */
  async account() {
    const email = `counterpart-${randomUUID()}@example.com`;
    await this.call("POST", "/api/v1/auth/register", { status: 201, body: { email, password: PASSWORD } });
    const [mail] = await this.call("GET", `/api/v1/dev/mailbox?to=${email}`);
    const token = new URL(mail.link).searchParams.get("token");
    await this.call("POST", "/api/v1/auth/verify", { body: { token } });
    return email;
  }

  login(email) {
    return this.call("POST", "/api/v1/auth/login", { body: { email, password: PASSWORD } });
  }

  me(bearer) {
    return this.call("GET", "/api/v1/auth/me", { bearer });
  }
}
