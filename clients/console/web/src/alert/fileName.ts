/** A name for a file that every file system takes. */
export function fileName(...parts: string[]): string {
  const words = parts.map((each) => each.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^-+|-+$/g, ""));
  return words.filter(Boolean).join("-").slice(0, 100);
}
