/** What a reader has chosen on this machine: kept in the browser, and nowhere else. */

export type ThemeChoice = "system" | "light" | "dark";

interface Stored {
  theme: ThemeChoice;
  singleKeys: boolean;
  goOn: boolean;
  paperColours: boolean;
  name: string;
}

const KEY = "sequela";
const DEFAULTS: Stored = { theme: "system", singleKeys: true, goOn: true, paperColours: false, name: "" };

class Preferences {
  #stored = $state<Stored>(read());
  #systemDark = $state(false);

  constructor() {
    if (typeof matchMedia === "undefined") return;
    const query = matchMedia("(prefers-color-scheme: dark)");
    this.#systemDark = query.matches;
    query.addEventListener("change", (event) => (this.#systemDark = event.matches));
    this.#showTheme();
  }

  get theme(): ThemeChoice {
    return this.#stored.theme;
  }
  set theme(choice: ThemeChoice) {
    this.#store({ theme: choice });
    this.#showTheme();
  }

  /** Whether the page is dark now; figures that are drawn on a canvas need to know. */
  get dark(): boolean {
    return this.theme === "system" ? this.#systemDark : this.theme === "dark";
  }

  /** Whether keys such as j and k work. Some people type by voice, and would set them off. */
  get singleKeys(): boolean {
    return this.#stored.singleKeys;
  }
  set singleKeys(on: boolean) {
    this.#store({ singleKeys: on });
  }

  /** Whether a decision on the page of an alert goes on to the next one. */
  get goOn(): boolean {
    return this.#stored.goOn;
  }
  set goOn(on: boolean) {
    this.#store({ goOn: on });
  }

  /** Whether figures have the colours of the paper: cool towards the positive class. */
  get paperColours(): boolean {
    return this.#stored.paperColours;
  }
  set paperColours(on: boolean) {
    this.#store({ paperColours: on });
  }

  /** The name that a person typed where the service does not authenticate its callers. */
  get name(): string {
    return this.#stored.name;
  }
  set name(name: string) {
    this.#store({ name });
  }

  #store(change: Partial<Stored>): void {
    Object.assign(this.#stored, change);
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#stored));
    } catch {
      // A browser may keep nothing; the choice then holds until the page is closed.
    }
  }

  #showTheme(): void {
    const root = document.documentElement;
    if (this.theme === "system") delete root.dataset["theme"];
    else root.dataset["theme"] = this.theme;
  }
}

/** Takes only what is known and of the right kind, since anything may stand there. */
function read(): Stored {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Record<string, unknown>;
    const theme = found["theme"];
    return {
      theme: theme === "light" || theme === "dark" ? theme : "system",
      singleKeys: found["singleKeys"] !== false,
      goOn: found["goOn"] !== false,
      paperColours: found["paperColours"] === true,
      name: typeof found["name"] === "string" ? found["name"] : "",
    };
  } catch {
    return { ...DEFAULTS };
  }
}

export const preferences = new Preferences();
