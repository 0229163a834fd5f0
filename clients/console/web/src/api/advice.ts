/** What a person can do about a failure, where its own message does not say. */

import { Failure } from "./client";

export interface Told {
  status: number;
  reason: string;
  message: string;
}

/** Any error as what a person can read. */
export function told(error: unknown): Told {
  if (error instanceof Failure) return { status: error.status, reason: error.reason, message: error.message };
  const message = error instanceof Error && error.message ? error.message : "Something unexpected happened.";
  return { status: 0, reason: "UNEXPECTED", message };
}

const BY_STATUS: Record<number, string> = {
  401: "Log in again; what is in the address stays.",
  403: "Your role does not allow this. Ask who runs the console if you need it.",
  404: "It may have been deleted since. Go back to the list and look for it again.",
  409: "Somebody else was faster. Load it again to see what changed.",
  413: "Choose less, for example a shorter time or fewer rows.",
  429: "Too much is asked at once. Wait a moment, then try again.",
  503: "The service cannot be reached now. What the console has read already is still shown.",
  504: "It took too long. Try again, or choose less.",
};

export function advice({ status, reason }: Told): string {
  if (reason === "CONSOLE_UNREACHABLE") return "";
  // Its message says why it is not there.
  if (reason === "ALERT_NOT_FOUND") return "Go back to the list and look for it again.";
  if (reason === "UNEXPECTED") return "Try again. If it happens again, tell who runs the console.";
  return (
    BY_STATUS[status] ?? (status >= 500 ? "Try again. If it happens again, tell who runs the console." : "")
  );
}
