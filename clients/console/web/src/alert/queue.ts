/** The queue that an alert was opened from: the filters of the list, carried in the address. */

/** Parameters of the page itself; everything else in the query belongs to the list. */
const OWN = ["target", "v", "cursor", "limit"];

export function queueFilters(query: URLSearchParams): string {
  const filters = new URLSearchParams(query);
  for (const name of OWN) filters.delete(name);
  return filters.toString();
}

export function listAddress(filters: string): string {
  return filters ? `/alerts?${filters}` : "/alerts";
}

export function alertAddress(id: string, filters: string): string {
  return `/alerts/${encodeURIComponent(id)}${filters ? `?${filters}` : ""}`;
}
