/** Follows clicks on links of the console without loading the page anew. */

/** The address that a click goes to within the console; null if the browser should do what it always does. */
export function followed(event: MouseEvent): string | null {
  if (event.defaultPrevented || event.button !== 0) return null;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return null;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.hasAttribute("download") || link.hasAttribute("target")) return null;
  const address = new URL(
    typeof link.href === "string" ? link.href : (link.getAttribute("href") ?? ""),
    location.href,
  );
  return isPage(address, new URL(location.href)) ? address.pathname + address.search : null;
}

/** Files of the API are loaded by the browser, and so is what is elsewhere; a part of the same page is scrolled to. */
export function isPage(address: URL, here: URL): boolean {
  if (address.origin !== here.origin || address.pathname.startsWith("/api/")) return false;
  const samePage = address.pathname === here.pathname && address.search === here.search;
  return !(samePage && address.hash !== "");
}
