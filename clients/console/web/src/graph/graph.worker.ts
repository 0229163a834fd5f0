/** Counts and draws graphs away from the page. Of two figures for the same view only the newer one is finished. */

import { FigureEngine } from "./engine";
import type { EventColumns } from "./events";
import type { FromWorker, ToWorker } from "./messages";
import { canPaint, Painter } from "./painter";

type FigureCall = Extract<ToWorker, { kind: "figure" }>;

const scope = self as unknown as DedicatedWorkerGlobalScope;
const painter = new Painter();
const engines = new Map<number, FigureEngine>();
const waiting = new Map<number, FigureCall>();
let columns: EventColumns | null = null;
let busy = false;
/** When the page last asked for a figure, and how long the last drawing took. */
let asked = 0;
let drawMilliseconds = 0;

scope.onmessage = ({ data }: MessageEvent<ToWorker>): void => {
  if (data.kind === "table") columns = data.columns;
  else if (data.kind === "figure") enqueue(data);
  else if (data.kind === "close") close(data.view);
  else if (data.kind === "hit")
    answer({ kind: "hit", call: data.call, hit: engines.get(data.view)?.hit(data.x, data.y) ?? null });
  else
    answer({
      kind: "edges",
      call: data.call,
      edges: engines.get(data.view)?.edgesOf(data.question, data.node) ?? [],
    });
};

const answer = (message: FromWorker, transfer: Transferable[] = []): void =>
  scope.postMessage(message, transfer);

function enqueue(call: FigureCall): void {
  asked = performance.now();
  const older = waiting.get(call.view);
  if (older) answer({ kind: "figure", call: older.call, answer: null });
  waiting.set(call.view, call);
  if (!busy) void work();
}

function close(view: number): void {
  engines.delete(view);
  waiting.delete(view);
}

async function work(): Promise<void> {
  busy = true;
  for (;;) {
    const call = waiting.values().next().value;
    if (!call) break;
    waiting.delete(call.view);
    await make(call).catch((error: unknown) =>
      answer({
        kind: "failed",
        call: call.call,
        message: error instanceof Error ? error.message : String(error),
      }),
    );
  }
  busy = false;
}

async function make(call: FigureCall): Promise<void> {
  if (!columns) throw new Error("the table of events is missing");
  const engine = engines.get(call.view) ?? new FigureEngine(columns);
  engines.set(call.view, engine);
  await calm();
  if (waiting.has(call.view)) return answer({ kind: "figure", call: call.call, answer: null });
  const slices = engine.make(call.request);
  let looked = performance.now();
  for (;;) {
    const slice = slices.next();
    if (slice.done) {
      await calm();
      if (waiting.has(call.view)) return answer({ kind: "figure", call: call.call, answer: null });
      return finish(call, slice.value);
    }
    if (performance.now() - looked < 4) continue;
    await nextMessages();
    looked = performance.now();
    if (waiting.has(call.view)) return answer({ kind: "figure", call: call.call, answer: null });
  }
}

function finish(
  call: FigureCall,
  { result, strokes }: ReturnType<FigureEngine["make"]> extends Generator<void, infer T> ? T : never,
): void {
  if (!call.paint || !canPaint())
    return answer({ kind: "figure", call: call.call, answer: { result, picture: null, strokes } });
  const start = performance.now();
  const { width, height, pixelRatio } = call.request.size;
  const { picture, renderer } = painter.paint(strokes, width, height, pixelRatio);
  drawMilliseconds = performance.now() - start;
  const milliseconds = { ...result.milliseconds, draw: drawMilliseconds };
  const painted = { ...result, renderer, milliseconds };
  answer({ kind: "figure", call: call.call, answer: { result: painted, picture, strokes: null } }, [picture]);
}

/** The longest pause before a graph; a reader who stops for it wants to see the graphs. */
const LONGEST_CALM = 150;

/**
 * Waits until the page has asked for nothing new for twice the time of a drawing. Without a graphics card the browser
 * draws the page with the same processor, so a graph that is counted or drawn while a slider moves would hold up the grid.
 */
async function calm(): Promise<void> {
  for (;;) {
    const left = asked + Math.min(LONGEST_CALM, 2 * drawMilliseconds) - performance.now();
    if (left <= 0) return;
    await new Promise((resolve) => setTimeout(resolve, left));
  }
}

const channel = new MessageChannel();

/** Lets messages in that have come meanwhile; a timer would wait for longer. */
const nextMessages = (): Promise<void> =>
  new Promise((resolve) => {
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(null);
  });
