/** Calls the console's API, and turns its errors into `Failure`. */

import type { ApiError } from "./types";

/** An error that a person can read, with what to do about it. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly field = "",
  ) {
    super(message);
  }
}

let refused: () => void = () => {};

/** Calls something whenever an answer says that nobody is logged in. */
export function onRefused(callback: () => void): void {
  refused = callback;
}

export async function call<T>(
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const answer = await answered(method, path, body, signal);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export async function bytes(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  return (await answered("GET", path, undefined, signal)).arrayBuffer();
}

async function answered(
  method: string,
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  const request: RequestInit = { method, headers: { Accept: "application/json" } };
  if (signal) request.signal = signal;
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { ...request.headers, "Content-Type": "application/json" };
  }
  const answer = await fetch(path, request).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new Failure(
      0,
      "CONSOLE_UNREACHABLE",
      "The console does not answer. Check that it is still running, then try again.",
    );
  });
  if (answer.status === 401) refused();
  if (!answer.ok) throw await failure(answer);
  return answer;
}

async function failure(answer: Response): Promise<Failure> {
  try {
    const { error } = (await answer.json()) as ApiError;
    return new Failure(answer.status, error.reason, error.message, error.field);
  } catch {
    return new Failure(answer.status, "UNEXPECTED", `The console answered with status ${answer.status}.`);
  }
}
