/** The page's side of the worker: one worker a table, shared by all figures of it. */

import type { EventTable } from "../grid/eventTable";
import { columnsOf } from "./events";
import type { EdgeHit, EdgeRow, FigureRequest } from "./figure";
import type { FigureAnswer, FromWorker, ToWorker } from "./messages";
import { canPaint } from "./painter";

interface Call {
  resolve: (message: FromWorker) => void;
  reject: (error: Error) => void;
}

class GraphWorker {
  readonly #worker = new Worker(new URL("./graph.worker.ts", import.meta.url), { type: "module" });
  readonly #calls = new Map<number, Call>();
  #next = 0;
  views = 0;

  constructor(table: EventTable) {
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#settle(data);
    this.#worker.onerror = () =>
      this.#fail("The graphs cannot be counted in this browser. Load the page again.");
    this.send({ kind: "table", columns: columnsOf(table) });
  }

  send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  call(message: (call: number) => ToWorker): Promise<FromWorker> {
    const call = this.#next++;
    const promise = new Promise<FromWorker>((resolve, reject) => this.#calls.set(call, { resolve, reject }));
    this.send(message(call));
    return promise;
  }

  close(): void {
    this.#worker.terminate();
    this.#calls.clear();
  }

  #settle(message: FromWorker): void {
    const call = this.#calls.get(message.call);
    this.#calls.delete(message.call);
    if (message.kind === "failed") call?.reject(new Error(message.message));
    else call?.resolve(message);
  }

  #fail(message: string): void {
    for (const call of this.#calls.values()) call.reject(new Error(message));
    this.#calls.clear();
  }
}

const workers = new WeakMap<EventTable, GraphWorker>();
let nextView = 0;

/** One figure on the page. Close it when it goes. */
export class GraphView {
  readonly #view = nextView++;
  readonly #worker: GraphWorker;

  constructor(private readonly table: EventTable) {
    const worker = workers.get(table) ?? new GraphWorker(table);
    workers.set(table, worker);
    worker.views++;
    this.#worker = worker;
  }

  /** Returns null if a newer request came before this one was done. */
  async figure(request: FigureRequest): Promise<FigureAnswer | null> {
    const paint = canPaint();
    const view = this.#view;
    const message = await this.#worker.call((call) => ({ kind: "figure", call, view, request, paint }));
    return message.kind === "figure" ? message.answer : null;
  }

  async hit(x: number, y: number): Promise<EdgeHit | null> {
    const view = this.#view;
    const message = await this.#worker.call((call) => ({ kind: "hit", call, view, x, y }));
    return message.kind === "hit" ? message.hit : null;
  }

  async edgesOf(question: number, node: number): Promise<EdgeRow[]> {
    const view = this.#view;
    const message = await this.#worker.call((call) => ({ kind: "edges", call, view, question, node }));
    return message.kind === "edges" ? message.edges : [];
  }

  close(): void {
    this.#worker.send({ kind: "close", view: this.#view });
    if (--this.#worker.views > 0) return;
    workers.delete(this.table);
    this.#worker.close();
  }
}
