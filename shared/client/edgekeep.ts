// The client of an Edgekeep server, for browsers, Node, Deno, Bun and Workers: one file without
// dependencies. It holds the tokens of one session. The routes are in docs/api.md.

/** What sign-in and refresh answer; keep it where the application keeps secrets. */
export interface Tokens {
  access_token: string;
  refresh_token: string;
}

export interface Options {
  /** The API's origin: `https://api.example.com`. */
  url: string;
  /** The session as `onTokens` handed it over last; without it nobody is signed in yet. */
  tokens?: Tokens;
  /** Called whenever the session's tokens change, with nothing when it has ended. */
  onTokens?: (tokens: Tokens | undefined) => void;
  /** Called once when a session has ended on its own: show the sign-in page. */
  onSignInRequired?: () => void;
  /** Milliseconds for one request; 30,000 without it. */
  timeout?: number;
  /** How often a call with an `idempotencyKey` is sent at most; 3 without it. */
  attempts?: number;
  fetch?: typeof fetch;
}

export interface Call {
  body?: unknown;
  headers?: Record<string, string>;
  /**
   * On routes that take one (docs/roles.md): the call may be sent again, and acts once. `true` draws a key
   * for this call; give one of your own to go on with it after a restart.
   */
  idempotencyKey?: string | true;
  signal?: AbortSignal;
}

/** What the server made, by its temporary id. */
export interface Made {
  id: string;
  client_temp_id: string;
}

/** An answer that is an error; `code` is one of docs/errors.md. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryable: boolean;
  readonly field?: string;
  readonly requestId?: string;
  /** Seconds to wait before another attempt, where the server says so. */
  readonly retryAfter?: number;
  /** All members of the error: of a conflict `expected`, of a limit `limit`, `used`, `plan` or `policy`. */
  readonly details: Readonly<Record<string, any>>;

  constructor(response: Response, body: any) {
    const error = body?.error ?? {};
    super(error.message ?? `The server answered ${response.status}.`);
    this.name = "ApiError";
    this.status = response.status;
    this.code = error.code ?? "UNKNOWN";
    this.retryable = error.retryable ?? response.status >= 500;
    this.field = error.field;
    this.details = error;
    this.requestId = body?.metadata?.requestId ?? response.headers.get("x-request-id") ?? undefined;
    const wait = Number(response.headers.get("retry-after") ?? Number.NaN);
    if (Number.isFinite(wait)) this.retryAfter = wait;
  }
}

/** The session has ended, or there was none: somebody has to sign in. */
export class SignInRequired extends Error {
  constructor(cause?: unknown) {
    super("Sign in first.", { cause });
    this.name = "SignInRequired";
  }
}

/** Refusals after which no token of this session will ever be taken again. */
const ENDED = new Set(["AUTH_REQUIRED", "TOKEN_INVALID", "SESSION_ENDED"]);

export class Edgekeep {
  #options: Options;
  #tokens: Tokens | undefined;
  /** The refresh under way, which all calls share: each token refreshes once. */
  #refreshing: Promise<void> | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#tokens = options.tokens;
  }

  get signedIn(): boolean {
    return this.#tokens !== undefined;
  }

  /**
   * Signs in by password. Where the account has a second factor the answer has an `mfa_token` and no
   * tokens yet: send it with the code to `/api/v1/auth/mfa/verify`, and give the answer to `adopt`.
   */
  async signIn(email: string, password: string): Promise<any> {
    const answer = await this.#answer("POST", "/api/v1/auth/login", { body: { email, password } });
    if (answer.access_token) this.adopt(answer);
    return answer;
  }

  /** Takes over the tokens of an answer: of a sign-in by another way, or of another organization. */
  adopt({ access_token, refresh_token }: Tokens): void {
    this.#keep({ access_token, refresh_token });
  }

  /** Ends the session here and on the server. Without the server it ends here all the same. */
  async signOut(): Promise<void> {
    try {
      if (this.#tokens) await this.call("POST", "/api/v1/auth/logout");
    } catch (error) {
      if (!(error instanceof SignInRequired)) throw error;
    } finally {
      this.#keep(undefined);
    }
  }

  /**
   * The `data` of an answer, asked for with the session's access token. An expired one is refreshed
   * once, whatever calls meet it, and the request is sent once more: the server has not acted on it.
   * With an `idempotencyKey` it is sent again, with the same key, where the server did not answer or said
   * that it may.
   *
   * @throws ApiError when the server refuses
   * @throws SignInRequired when the session has ended
   */
  async call(method: string, path: string, call: Call = {}): Promise<any> {
    const { idempotencyKey, ...rest } = call;
    if (idempotencyKey === undefined) return this.#authorized(method, path, rest);
    const key = idempotencyKey === true ? crypto.randomUUID() : idempotencyKey;
    const keyed = { ...rest, headers: { ...rest.headers, "idempotency-key": key } };
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#authorized(method, path, keyed);
      } catch (error) {
        const wait = pause(error, attempt);
        const last = attempt >= (this.#options.attempts ?? 3);
        if (last || wait === undefined || rest.signal?.aborted) throw error;
        await sleep(wait, rest.signal);
      }
    }
  }

  /**
   * Makes a thing that the application shows before the server has answered: `show` gets it under a
   * temporary id. `swap` puts what the server made in its place, wherever a state has it. Like a call with
   * an `idempotencyKey` it is sent again where the server did not answer.
   */
  async create<T>(path: string, body: object, show: (draft: any) => void): Promise<{ made: any; swap: (state: T) => T }> {
    const id = tempId();
    show({ ...body, id });
    const answer = await this.call("POST", path, { body: { ...body, client_temp_id: id }, idempotencyKey: id });
    const { client_temp_id, ...made } = answer;
    return { made, swap: (state) => swapTempId(state, answer) };
  }

  async #authorized(method: string, path: string, call: Call): Promise<any> {
    const tokens = this.#tokens;
    if (!tokens) throw new SignInRequired();
    try {
      return await this.#answer(method, path, call, tokens.access_token);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (error.code !== "TOKEN_EXPIRED") throw this.#ended(tokens, error);
    }
    await this.#refresh(tokens);
    const fresh = this.#tokens;
    if (!fresh) throw new SignInRequired();
    try {
      return await this.#answer(method, path, call, fresh.access_token);
    } catch (error) {
      // Expired again at once: a clock is wrong, and another round would not end.
      throw isRefusal(error) ? this.#ended(fresh, error) : error;
    }
  }

  /** Replaces `expired`, unless another call has done so meanwhile or is about to. */
  #refresh(expired: Tokens): Promise<void> {
    if (this.#tokens !== expired) return Promise.resolve();
    this.#refreshing ??= this.#rotate(expired).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #rotate(expired: Tokens): Promise<void> {
    const body = { refresh_token: expired.refresh_token };
    try {
      const fresh = await this.#answer("POST", "/api/v1/auth/refresh", { body });
      // Whoever signed out or in while we waited decided otherwise.
      if (this.#tokens === expired) this.adopt(fresh);
    } catch (error) {
      throw isRefusal(error) ? this.#ended(expired, error) : error;
    }
  }

  /** What to throw when the server takes these tokens no longer. */
  #ended(refused: Tokens, cause: ApiError): SignInRequired {
    if (this.#tokens === refused) {
      this.#keep(undefined);
      this.#options.onSignInRequired?.();
    }
    return new SignInRequired(cause);
  }

  #keep(tokens: Tokens | undefined): void {
    this.#tokens = tokens;
    this.#options.onTokens?.(tokens);
  }

  async #answer(method: string, path: string, { body, headers, signal }: Call, bearer?: string): Promise<any> {
    const all = new Headers(headers);
    if (bearer) all.set("authorization", `Bearer ${bearer}`);
    if (body !== undefined) all.set("content-type", "application/json");
    const signals = [AbortSignal.timeout(this.#options.timeout ?? 30_000)];
    if (signal) signals.push(signal);
    const send = this.#options.fetch ?? globalThis.fetch;
    const response = await send(this.#options.url + path, {
      method,
      headers: all,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.any(signals),
    });
    const text = await response.text();
    if (!response.ok) throw new ApiError(response, parsed(text));
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    return isJson ? JSON.parse(text).data : text;
  }
}

/** Whether the server refused the token, and not what was asked for with it. */
function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 401 && (error.code === "TOKEN_EXPIRED" || ENDED.has(error.code));
}

/** A body that may come from something before the server, and then is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The longest `Retry-After` that a call waits for by itself, in seconds. */
const PATIENCE = 30;

/** Milliseconds to wait before a call is sent again; nothing where that would not help. */
function pause(error: unknown, attempt: number): number | undefined {
  if (error instanceof SignInRequired) return undefined;
  if (error instanceof ApiError) {
    if (!error.retryable || (error.retryAfter ?? 0) > PATIENCE) return undefined;
    if (error.retryAfter !== undefined) return error.retryAfter * 1_000;
  }
  // Not all at once, when many have waited for the same outage.
  return 250 * 2 ** attempt * (0.5 + Math.random() / 2);
}

function sleep(millis: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, millis);
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

/** A name for a thing that the server has not made yet; it is sent as `client_temp_id`. */
export function tempId(): string {
  return `temp_${crypto.randomUUID()}`;
}

/**
 * A state of plain data with `made.id` wherever it had `made.client_temp_id`, as a value or as the name of a
 * member, and with what the server made in place of the draft. What has not changed stays the same object.
 */
export function swapTempId<T>(state: T, made: Made): T {
  const { client_temp_id: temp, ...thing } = made;
  const swapped = (value: any): any => {
    if (value === temp) return made.id;
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) {
      const items = value.map(swapped);
      return items.some((item, at) => item !== value[at]) ? items : value;
    }
    const entries = Object.entries(value);
    const fresh = entries.map(([name, member]) => [name === temp ? made.id : name, swapped(member)] as const);
    const same = fresh.every(([name, member], at) => name === entries[at]?.[0] && member === entries[at]?.[1]);
    if (same) return value;
    return { ...Object.fromEntries(fresh), ...(value.id === temp ? thing : {}) };
  };
  return swapped(state);
}
