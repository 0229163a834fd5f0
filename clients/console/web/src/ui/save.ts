/** Saves a text or bytes as a file of the reader's. */

export function save(name: string, content: BlobPart, type: string): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads the address after the click; it may go a moment later.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
