/** Decides on an alert, from the list and from its page, with a message that can take it back. */

import { told } from "../api/advice";
import { call, Failure } from "../api/client";
import type { AlertLabel, AlertSummary, Decision, NewLabel } from "../api/types";
import { verdictWords } from "../format/words";
import { toasts } from "../ui/toasts.svelte";

type Decided = NonNullable<AlertSummary["decision"]>;

export interface Deciding {
  id: string;
  /** What people call the alert. */
  name: string;
  /** The decision that the person sees. */
  before: Decided | null;
  verdict: Decision;
  /** Shows the new decision, also after it was taken back. */
  show: (decision: Decided) => void;
  /** Somebody else has decided meanwhile: what is shown is out of date. */
  outdated: () => void;
}

/** Returns whether the decision was kept. A failure is told. */
export async function decide(deciding: Deciding): Promise<boolean> {
  const { id, name, before, verdict, show } = deciding;
  const made = await posted(deciding);
  if (!made) return false;
  show(made);
  // Taking back restores what was decided before; it is a decision of its own in the trail.
  const back = before?.verdict ?? "undecided";
  toasts.show(`${name}: ${verdictWords(verdict).toLowerCase()}`, () => {
    void posted({ ...deciding, id, before: made, verdict: back }).then((undone) => {
      if (!undone) return;
      show(undone);
      toasts.show(`${name}: taken back`);
    });
  });
  return true;
}

async function posted({ id, name, before, verdict, outdated }: Deciding): Promise<Decided | null> {
  const label: NewLabel = { verdict, previous: before?.id ?? null };
  try {
    const made = await call<AlertLabel>("POST", `/api/alerts/${encodeURIComponent(id)}/labels`, label);
    return { id: made.id, verdict, who: made.who, verified: made.verified, when: made.when };
  } catch (error) {
    const stale = error instanceof Failure && error.reason === "DECIDED_MEANWHILE";
    toasts.fail(`${name} is not decided. ${told(error).message}`);
    if (stale) outdated();
    return null;
  }
}
