// A load generator over raw sockets: every request is different and made beforehand, so that this
// process does little while the server is measured.

import { readFileSync } from "node:fs";
import { connect } from "node:net";

const HEAD_END = Buffer.from("\r\n\r\n");

/** One request as it goes over the wire. */
export function request(method, path, headers = {}, body = "") {
  const fields = { host: "bench", ...headers };
  if (method !== "GET") fields["content-length"] = Buffer.byteLength(body);
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
}

/**
 * Sends all requests, each connection one at a time: seconds, status counts, latencies sorted in ms.
 * `onAnswer(head, body)` sees every answer, where somebody wants to.
 */
export async function fire(port, requests, connections, onAnswer) {
  const latencies = [];
  const statuses = {};
  let next = 0;
  const start = performance.now();
  const drive = () =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      let buffer = Buffer.alloc(0);
      let sent;
      const send = () => {
        if (next === requests.length) return socket.end(resolve);
        sent = performance.now();
        socket.write(requests[next++]);
      };
      socket.on("connect", send).on("error", reject);
      socket.on("data", (chunk) => {
        buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]);
        const end = buffer.indexOf(HEAD_END);
        if (end < 0) return;
        const head = buffer.latin1Slice(0, end);
        const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
        if (length === undefined) return reject(new Error(`an answer without content-length: ${head}`));
        if (buffer.length < end + 4 + Number(length)) return;
        onAnswer?.(head, buffer.utf8Slice(end + 4));
        buffer = Buffer.alloc(0);
        const status = head.slice(9, 12);
        statuses[status] = (statuses[status] ?? 0) + 1;
        latencies.push(performance.now() - sent);
        send();
      });
    });
  await Promise.all(Array.from({ length: connections }, drive));
  latencies.sort((a, b) => a - b);
  return { seconds: (performance.now() - start) / 1000, statuses, latencies };
}

/** One request and its answer: status, header fields by name, body. */
export async function ask(port, bytes) {
  const answer = {};
  await fire(port, [bytes], 1, (head, body) => {
    const [first, ...lines] = head.split("\r\n");
    const headers = Object.fromEntries(lines.map((line) => [line.split(":")[0].toLowerCase(), line.slice(line.indexOf(":") + 2)]));
    Object.assign(answer, { status: Number(first.slice(9, 12)), headers, body });
  });
  return answer;
}

/** CPU that a process has used, in seconds; NaN where there is no /proc. */
export function cpuSeconds(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return Number.NaN;
  }
}

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
export const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
