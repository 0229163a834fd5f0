/** Short messages about what has just happened, some with an undo. `App` shows them. */

export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "bad";
  undo: (() => void) | null;
}

const UNDO_SECONDS = 10;
const SECONDS = 6;

class Toasts {
  shown = $state.raw<readonly Toast[]>([]);
  #last = 0;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  /** Shows a message; with `undo` for ten seconds, in which the button or the key z takes it back. */
  show(text: string, undo: (() => void) | null = null): void {
    this.#add({ id: ++this.#last, text, tone: "plain", undo }, undo ? UNDO_SECONDS : SECONDS);
  }

  /** Shows that something failed. */
  fail(text: string): void {
    this.#add({ id: ++this.#last, text, tone: "bad", undo: null }, UNDO_SECONDS);
  }

  /** Takes back the latest thing that can be taken back. */
  undo(id = this.shown.findLast((toast) => toast.undo)?.id): void {
    const toast = this.shown.find((each) => each.id === id);
    if (!toast) return;
    this.close(toast.id);
    toast.undo?.();
  }

  close(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }

  /** The time of a message stops while somebody reads or points at it. */
  hold(id: number): void {
    clearTimeout(this.#timers.get(id));
  }

  release(id: number): void {
    this.#wait(id, SECONDS);
  }

  #add(toast: Toast, seconds: number): void {
    this.shown = [...this.shown.slice(-2), toast];
    this.#wait(toast.id, seconds);
  }

  #wait(id: number, seconds: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.set(
      id,
      setTimeout(() => this.close(id), seconds * 1000),
    );
  }
}

export const toasts = new Toasts();
