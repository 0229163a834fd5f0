/** Something that is loaded: its content, its failure, and trying again. A new question ends the one before. */

import { untrack } from "svelte";

export type Question<T> = (signal: AbortSignal) => Promise<T>;

export class Resource<T> {
  /** What came last; it stays while something newer is on its way. */
  data = $state.raw<T | null>(null);
  failure = $state.raw<unknown>(null);
  loading = $state(false);
  #question: Question<T> | null = null;
  #stop: AbortController | null = null;

  /** Asks; `keep` shows what was there until the answer comes. */
  ask(question: Question<T>, keep = true): void {
    this.#question = question;
    this.#stop?.abort();
    const stop = new AbortController();
    this.#stop = stop;
    this.loading = true;
    if (!keep) this.data = null;
    question(stop.signal).then(
      (data) => this.#settle(stop, () => this.#answered(data)),
      (error: unknown) => this.#settle(stop, () => (this.failure = error)),
    );
  }

  /** Asks the same again, after a failure or to see what is new. */
  retry = (): void => {
    if (this.#question) this.ask(this.#question);
  };

  /** Puts something in place of what was loaded, such as an answer to a change. */
  set(data: T): void {
    this.data = data;
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = null;
    this.loading = false;
  }

  #answered(data: T): void {
    this.data = data;
    this.failure = null;
  }

  #settle(stop: AbortController, store: () => void): void {
    if (this.#stop !== stop || stop.signal.aborted) return;
    this.loading = false;
    store();
  }
}

/**
 * A resource of a component. `question` is called whenever state that it reads changes, so read it before the inner
 * function; null asks nothing.
 *
 *     const alert = resource(() => (signal) => call<AlertDocument>("GET", `/api/alerts/${id}`, undefined, signal));
 */
export function resource<T>(question: () => Question<T> | null, keep = true): Resource<T> {
  const found = new Resource<T>();
  $effect(() => {
    const next = question();
    untrack(() => (next ? found.ask(next, keep) : found.stop()));
    return () => found.stop();
  });
  return found;
}
