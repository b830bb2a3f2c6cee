/** What went wrong, in the user's terms: browser exceptions to `DeviceProblem`, answers of the server to `ApiProblem`. Pure. */
import type { ApiProblem, DeviceProblem } from "./model";

/** Names of DOMException that getUserMedia and getDisplayMedia reject with (W3C mediacapture-streams §10.2). */
const DEVICE: Readonly<Record<string, DeviceProblem>> = {
  NotAllowedError: "denied",
  PermissionDeniedError: "denied",
  SecurityError: "insecure",
  NotFoundError: "none",
  DevicesNotFoundError: "none",
  OverconstrainedError: "none",
  NotReadableError: "busy",
  TrackStartError: "busy",
  AbortError: "busy",
  NotSupportedError: "unsupported",
};

export function deviceProblem(error: unknown): DeviceProblem {
  const name = typeof error === "object" && error !== null && "name" in error ? error.name : "";
  return (typeof name === "string" && Object.hasOwn(DEVICE, name) ? DEVICE[name] : undefined) ?? "failed";
}

/** What makes cameras and microphones impossible before anybody is asked; null when nothing does. */
export function surroundings(secure: boolean, capable: boolean): DeviceProblem | null {
  if (!secure) return "insecure";
  return capable ? null : "unsupported";
}

/** Rejected by every action of `Api`, `Desk` and file uploads. */
export class ApiError extends Error implements ApiProblem {
  constructor(
    readonly code: string,
    readonly detail: string,
    readonly retryAfterS: number | null = null,
  ) {
    super(code);
  }
}

/** The problem that an HTTP answer tells (RFC 9457), or one made from its status when it tells none. */
export function apiProblem(status: number, body: unknown, retryAfter: string | null): ApiError {
  const seconds = retryAfter !== null && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : null;
  if (typeof body === "object" && body !== null && "code" in body && typeof body.code === "string") {
    const detail = "detail" in body && typeof body.detail === "string" ? body.detail : "";
    return new ApiError(body.code, detail, seconds);
  }
  return new ApiError(BY_STATUS[status] ?? (status >= 500 ? "unavailable" : "failed"), "", seconds);
}

/** What a proxy in between says without problem details. */
const BY_STATUS: Readonly<Record<number, string>> = {
  401: "unauthenticated",
  403: "not_allowed",
  404: "not_found",
  409: "conflict",
  410: "gone",
  413: "too_large",
  415: "unsupported_media_type",
  429: "too_many",
};

/** Whether the token is of no more use. */
export function signedOut(error: unknown): boolean {
  return error instanceof ApiError && ["unauthenticated", "token_expired", "not_allowed"].includes(error.code);
}

export const OFFLINE = "offline";
