/** Who is logged in, and whether the service behind the console answers. */

import { call, Failure, onRefused } from "../api/client";
import type { Session } from "../api/types";

/** As often as the console looks for new alerts itself. */
const REFRESH_SECONDS = 5;
/** While the console reads what the service has, people watch it grow. */
const READING_SECONDS = 3;

class CurrentSession {
  data = $state.raw<Session | null>(null);
  failure = $state.raw<unknown>(null);
  /** Why the login page is shown although somebody was logged in. */
  ended = $state("");
  busy = $state(false);

  constructor() {
    onRefused(() => this.#end());
  }

  /** Asks who is logged in; also asked again and again, for the state of the service and the index. */
  load = async (): Promise<void> => {
    this.busy = true;
    try {
      this.#take(await call<Session>("GET", "/api/session"));
    } catch (error) {
      this.failure = error;
    }
    this.busy = false;
  };

  /** Logs in with a token of the service, or with a name where it asks for no token. */
  async logIn(proof: { token: string } | { name: string }): Promise<void> {
    this.#take(await call<Session>("POST", "/api/session", proof));
    this.ended = "";
  }

  async logOut(): Promise<void> {
    await call<undefined>("DELETE", "/api/session");
    this.ended = "You are logged out.";
    await this.load();
  }

  /** Looks again and again while the page is seen; returns what stops that. */
  watch(): () => void {
    let timer: ReturnType<typeof setTimeout>;
    const wait = (): void => {
      const seconds = this.data?.index.complete === false ? READING_SECONDS : REFRESH_SECONDS;
      timer = setTimeout(() => void look(), seconds * 1000);
    };
    const look = async (): Promise<void> => {
      if (document.visibilityState === "visible") await this.load();
      wait();
    };
    // Somebody comes back to a window that was hidden: it must not be out of date.
    const seen = (): void => {
      clearTimeout(timer);
      void look();
    };
    document.addEventListener("visibilitychange", seen);
    wait();
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }

  get mayExplain(): boolean {
    return this.data?.roles.some((role) => role !== "read") ?? false;
  }

  #take(session: Session): void {
    this.data = session;
    this.failure = null;
  }

  // The token was revoked, or the session is over: what is on the page stays in the address.
  #end(): void {
    if (!this.data?.ready) return;
    this.ended =
      "Your session is over, or your token is no longer valid. Log in again to go on where you were.";
    this.data = { ...this.data, ready: false };
  }
}

export const session = new CurrentSession();

export function isUnreachable(failure: unknown): boolean {
  return failure instanceof Failure && failure.reason === "CONSOLE_UNREACHABLE";
}
