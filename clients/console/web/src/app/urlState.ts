/** The state of a view as one versioned object in the address: base64url of JSON `{v: 1, …}`. */

export const VERSION = 1;

export function encodeState(state: Record<string, unknown>): string {
  const bytes = new TextEncoder().encode(JSON.stringify({ v: VERSION, ...state }));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

/** Returns null for a text that is no state, or one of a version that this console does not know. */
export function decodeState(text: string | null): Record<string, unknown> | null {
  if (!text) return null;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) =>
      c.charCodeAt(0),
    );
    const state: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof state !== "object" || state === null || Array.isArray(state)) return null;
    const { v, ...rest } = state as Record<string, unknown>;
    return v === VERSION ? rest : null;
  } catch {
    return null;
  }
}
