/** REST: one way to ask, problem details understood, creating requests repeated safely under one Idempotency-Key. */
import { ApiError, apiProblem, OFFLINE } from "./problems";

export const BASE = "/api/v1";

const TIMEOUT_MS = 15_000;
const AGAIN_MS = [300, 1_000]; // before the 2nd and 3rd try
const PASSING = new Set([502, 503, 504]);

export interface Ask {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  token?: string;
  body?: unknown;
  /** This request creates something: it gets a key and is tried again when the answer may have been lost. */
  creates?: boolean;
  /** How long the answer may take. */
  timeoutMs?: number;
}

export async function request<Answer>(path: string, ask: Ask = {}): Promise<Answer> {
  const response = await send(path, ask);
  return (response.status === 204 ? undefined : await response.json().catch(() => Promise.reject(new ApiError("failed", "")))) as Answer;
}

/** The answer, when it is a good one; rejects with ApiError. GETs and creating requests are tried three times. */
export async function send(path: string, ask: Ask = {}): Promise<Response> {
  const method = ask.method ?? "GET";
  const headers = new Headers({ Accept: "application/json" });
  if (ask.token !== undefined) headers.set("Authorization", `Bearer ${ask.token}`);
  if (ask.body !== undefined) headers.set("Content-Type", "application/json");
  if (ask.creates === true) headers.set("Idempotency-Key", randomKey());
  const repeatable = method === "GET" || ask.creates === true;
  for (let attempt = 0; ; attempt += 1) {
    const wait = repeatable ? AGAIN_MS[attempt] : undefined;
    let response: Response | null = null;
    try {
      response = await fetch(BASE + path, {
        method,
        headers,
        signal: AbortSignal.timeout(ask.timeoutMs ?? TIMEOUT_MS),
        cache: "no-store",
        ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
      });
    } catch {
      // no network, or no answer in time
    }
    if (response?.ok === true) return response;
    if (wait === undefined || (response !== null && !PASSING.has(response.status))) {
      if (response === null) throw new ApiError(OFFLINE, "");
      throw apiProblem(response.status, await response.json().catch(() => null), response.headers.get("Retry-After"));
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** Sends a file with progress (fetch has none). Tried again once when the network failed; the key makes that safe. */
export async function upload<Answer>(path: string, file: File, token: () => string, progress: (part: number) => void, key: string): Promise<Answer> {
  try {
    return await uploadOnce<Answer>(path, file, token(), key, progress);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== OFFLINE) throw error;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS[1]));
    return uploadOnce<Answer>(path, file, token(), key, progress);
  }
}

function uploadOnce<Answer>(path: string, file: File, token: string, key: string, progress: (part: number) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open("POST", BASE + path);
    xhr.responseType = "text";
    xhr.setRequestHeader("Authorization", `Bearer ${token}`);
    xhr.setRequestHeader("Idempotency-Key", key);
    xhr.setRequestHeader("Content-Type", file.type === "" ? "application/octet-stream" : file.type);
    xhr.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
    xhr.upload.onprogress = (event) => progress(event.lengthComputable && event.total > 0 ? event.loaded / event.total : 0);
    xhr.onerror = xhr.ontimeout = xhr.onabort = () => reject(new ApiError(OFFLINE, ""));
    xhr.onload = () => {
      let body: unknown = null;
      try {
        body = JSON.parse(xhr.responseText);
      } catch {
        // judged by its status alone
      }
      if (xhr.status >= 200 && xhr.status < 300 && body !== null) resolve(body as Answer);
      else reject(apiProblem(xhr.status, body, xhr.getResponseHeader("Retry-After")));
    };
    xhr.send(file);
  });
}

/** 128 random bits; works on pages without TLS too, where `crypto.randomUUID` is missing. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
