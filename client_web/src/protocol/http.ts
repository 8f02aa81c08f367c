/** The REST client: typed by the schema, signed by the session, every refusal an ApiError. */

import createClient, { type Middleware } from "openapi-fetch";
import type { ErrorDetail } from "./messages";
import type { Session } from "./records";
import type { paths } from "./schema.gen";

/** A refusal, or a coordinator that could not be reached, as the pages show it. */
export class ApiError extends Error {
  readonly status: number;
  readonly detail: ErrorDetail;

  constructor(status: number, detail: ErrorDetail) {
    super(detail.message);
    this.name = "ApiError";
    this.status = status;
    this.detail = detail;
  }
}

const UNREACHABLE: ErrorDetail = {
  code: "network.unreachable",
  message: "The coordinator did not answer.",
  expected: "an answer from the coordinator",
  got: "no connection",
  hint: "Check your connection, or whether the coordinator is running, then try again.",
};

/** Read whatever came back as an ApiError; a body that is no ErrorBody becomes a plain one. */
export function refusal(status: number, body: unknown): ApiError {
  const detail = (body as { error?: unknown } | null)?.error as ErrorDetail | undefined;
  if (detail && typeof detail.code === "string" && typeof detail.message === "string") {
    return new ApiError(status, detail);
  }
  return new ApiError(status, {
    code: "http.unexpected",
    message: `The coordinator answered with status ${status}.`,
    got: typeof body === "string" ? body.slice(0, 200) : "",
    hint: "Try again; if it stays, tell the operator of this coordinator.",
  });
}

/** Turn anything thrown into an ApiError, so that one component can show it. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (thrown instanceof TypeError) return new ApiError(0, UNREACHABLE);
  return new ApiError(0, {
    code: "page.unexpected",
    message: thrown instanceof Error ? thrown.message : String(thrown),
    hint: "Reload the page; nothing on the coordinator has changed.",
  });
}

let csrf: Promise<string> | null = null;

async function fetchSession(): Promise<Session> {
  const response = await fetch("/api/v1/session", { headers: { accept: "application/json" } });
  if (!response.ok) throw refusal(response.status, await response.json().catch(() => null));
  return (await response.json()) as Session;
}

/** Ask who this browser is; keeps the CSRF token for the requests that change something. */
export async function loadSession(): Promise<Session> {
  const session = fetchSession();
  csrf = session.then((s) => s.csrf);
  csrf.catch(() => (csrf = null));
  return session;
}

/** Remember the CSRF token of a session that the coordinator has just handed out. */
export function keepCsrf(session: Session): void {
  csrf = Promise.resolve(session.csrf);
}

async function csrfToken(): Promise<string> {
  if (csrf === null) await loadSession();
  return csrf ?? "";
}

const CSRF = "X-Potluck-CSRF";
const STALE = "access.csrf";

const signed: Middleware = {
  async onRequest({ request }) {
    if (request.method !== "GET") request.headers.set(CSRF, await csrfToken());
    return request;
  },
};

/**
 * Send a request; once more where its CSRF token was another session's. So it is in the first of two
 * tabs that a new browser opened at once, or after signing in elsewhere. Nothing was done then.
 */
export async function sendSigned(request: Request): Promise<Response> {
  if (request.method === "GET") return fetch(request);
  const again = request.clone();
  const response = await fetch(request);
  if (response.status !== 403) return response;
  const body: unknown = await response.clone().json().catch(() => null);
  if (refusal(403, body).detail.code !== STALE) return response;
  again.headers.set(CSRF, (await loadSession()).csrf);
  return fetch(again);
}

export const api = createClient<paths>({ baseUrl: "", fetch: sendSigned });
api.use(signed);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Await one call of `api` and return its data, or throw its refusal. */
export async function read<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (thrown) {
    throw asApiError(thrown);
  }
  if (!answer.response.ok) throw refusal(answer.response.status, answer.error);
  return answer.data as T;
}

/**
 * Send files as a form. `onProgress` hears the share sent, from 0 to 1. `fetch` cannot report that,
 * so this one call is an XMLHttpRequest.
 */
export async function upload<T>(
  path: string,
  form: FormData,
  onProgress: (share: number) => void,
): Promise<T> {
  try {
    return await send<T>(path, form, onProgress, await csrfToken());
  } catch (thrown) {
    if (!(thrown instanceof ApiError) || thrown.detail.code !== STALE) throw thrown;
    return send<T>(path, form, onProgress, (await loadSession()).csrf);
  }
}

function send<T>(path: string, form: FormData, onProgress: (share: number) => void, token: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    request.setRequestHeader(CSRF, token);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("error", () => reject(new ApiError(0, UNREACHABLE)));
    request.addEventListener("load", () => {
      const ok = request.status >= 200 && request.status < 300;
      if (ok) resolve(request.response as T);
      else reject(refusal(request.status, request.response));
    });
    request.send(form);
  });
}
