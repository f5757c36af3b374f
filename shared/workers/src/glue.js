// All JavaScript of Edgekeep. Each function does in one call from Wasm what would otherwise take
// a dozen: a call across the border costs more than what most of them do. No rules live here.

/** Method, URL and the headers of `names`, one a line; NUL for a header that is not there. */
export function head(request, names) {
  const { headers } = request;
  let text = request.method + "\n" + request.url;
  for (const name of names) text += "\n" + (headers.get(name) ?? "\0");
  return text;
}

/** A response. `fields` are names and values, one a line. */
export function respond(status, fields, body) {
  // The body is copied: it lies in Wasm memory, which changes when this call has returned.
  const cookies = [];
  const headers = record(fields, cookies);
  const response = new Response(body.length ? body.slice() : null, { status, headers });
  for (const cookie of cookies) response.headers.append("set-cookie", cookie);
  return response;
}

/** The body, if it has at most `limit` bytes and comes within `time` ms. */
export async function body(request, limit, time) {
  // The runtime holds a body to its Content-Length, and hides that of a chunked one.
  const length = request.headers.get("content-length");
  if (length && Number(length) <= limit) return new Uint8Array(await within(time, request.arrayBuffer()));
  if (!request.body) return new Uint8Array();
  const reader = request.body.getReader();
  try {
    const bytes = await within(time, read(reader, limit));
    if (bytes.length <= limit) return bytes;
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  }
  throw "large";
}

/** Rows of every statement, as JSON: `[[sql, [value]]]` in, `[[[value]]]` out. */
export async function query(database, statements, time) {
  const bound = JSON.parse(statements).map(([sql, values]) => database.prepare(sql).bind(...values));
  if (bound.length === 1) return JSON.stringify([await within(time, bound[0].raw())]);
  const results = await within(time, database.batch(bound));
  return JSON.stringify(results.map(({ results }) => results.map(Object.values)));
}

export const kv_get = (store, key, time) => within(time, store.get(key));

export const kv_put = (store, key, value, ttl, time) =>
  within(time, store.put(key, value, { expirationTtl: ttl }));

export const kv_delete = (store, key, time) => within(time, store.delete(key));

export const enqueue = (queue, text, time) =>
  within(time, queue.send(text, { contentType: "text" }));

/** Another Worker's answer. A 5xx without our request id is not its own: it broke before it answered. */
export async function forward(service, request) {
  const response = await service.fetch(request);
  if (response.status < 500 || response.headers.has("x-request-id")) return response;
  await response.body?.cancel();
  throw new Error("status " + response.status);
}

export const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));

/**
 * Status and body of another service's answer, of which at most `limit` bytes are read, and what its headers say
 * about another attempt.
 */
export async function send(method, url, fields, body, limit, time) {
  const payload = body.length ? body.slice() : undefined;
  const abort = new AbortController();
  const exchange = async () => {
    const response = await fetch(url, {
      method,
      headers: record(fields),
      body: payload,
      redirect: "manual",
      signal: abort.signal,
    });
    const bytes = response.body ? await read(response.body.getReader(), limit) : new Uint8Array();
    const answer = [response.status, bytes.subarray(0, limit)];
    // Of an answer that is one nobody asks.
    if (response.status < 400) return answer;
    return [...answer, response.headers.get("retry-after"), response.headers.get("stripe-should-retry")];
  };
  try {
    return await within(time, exchange());
  } finally {
    abort.abort();
  }
}

/**
 * `{name: value}` from names and values, one a line. The runtime takes pairs at twice the price.
 * Cookies go into `cookies`: they are the one header that cannot be joined.
 */
function record(fields, cookies) {
  const lines = fields ? fields.split("\n") : [];
  const object = {};
  for (let i = 0; i < lines.length; i += 2) {
    const [name, value] = [lines[i], lines[i + 1]];
    if (name === "set-cookie") cookies?.push(value);
    else object[name] = name in object ? object[name] + ", " + value : value;
  }
  return object;
}

/** Everything, or somewhat more than `limit` bytes. */
async function read(reader, limit) {
  const chunks = [];
  let length = 0;
  while (length <= limit) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  if (length > limit) reader.cancel().catch(() => {});
  if (chunks.length === 1) return chunks[0];
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** What `work` gives, or "late" thrown after `time` ms. */
async function within(time, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(reject, time, "late");
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
