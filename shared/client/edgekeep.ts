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
  fetch?: typeof fetch;
}

export interface Call {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
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

  constructor(response: Response, body: any) {
    const error = body?.error ?? {};
    super(error.message ?? `The server answered ${response.status}.`);
    this.name = "ApiError";
    this.status = response.status;
    this.code = error.code ?? "UNKNOWN";
    this.retryable = error.retryable ?? response.status >= 500;
    this.field = error.field;
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
   *
   * @throws ApiError when the server refuses
   * @throws SignInRequired when the session has ended
   */
  async call(method: string, path: string, call: Call = {}): Promise<any> {
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
