import { describe, expect, it } from "vitest";
import { bruteCell, eventsBehind, heatBySteps } from "./bruteForce";
import { MatrixCells, attributesThatFit, cellLayout, levelsThatOccur } from "./cells";
import { Counter, countingData, pairCounts, type CountingData } from "./counting";
import type { EventTable } from "./eventTable";
import { measures } from "./measures";
import { PAPER_SIZE, randomNumbers, syntheticTable } from "./synthetic";

const all = (table: EventTable): number[] => table.header.attributes.map((_, k) => k);

function counted(table: EventTable, attributes = all(table)): { data: CountingData; counter: Counter } {
  const data = countingData(table, levelsThatOccur(table), attributes);
  return { data, counter: new Counter(data) };
}

/** All sums of one range from the columns of the table, as the layout orders them. */
function bruteSums(
  table: EventTable,
  { layout }: CountingData,
  range: readonly [number, number],
): Float64Array {
  const sums = new Float64Array(layout.cells * layout.steps * 2);
  const { attributes } = layout;
  for (let p = 0; p < attributes.length; p++)
    for (let q = p; q < attributes.length; q++) {
      const cells = new MatrixCells(layout, p, q);
      cells.columns.forEach((column, i) =>
        cells.rows.forEach((row, j) => {
          const cell = cells.at(i, j);
          if (cell < 0) return;
          for (const positive of [1, 0] as const) {
            const heat = heatBySteps(table, [attributes[p]!, attributes[q]!], [column, row], positive, range);
            sums.set(heat, (positive ? 0 : layout.cells * layout.steps) + cell * layout.steps);
          }
        }),
      );
    }
  return sums;
}

function randomRange(random: () => number): [number, number] {
  const ends = [Math.floor(random() * 65536), Math.floor(random() * 65536)].sort((a, b) => a - b);
  return [ends[0]!, ends[1]!];
}

describe("sums of weights", () => {
  it("are those of a count event by event, bit for bit, for tables of many shapes", () => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = randomNumbers(seed);
      const table = syntheticTable({
        attributes: 1 + Math.floor(random() * 4),
        levels: 2 + Math.floor(random() * 5),
        steps: 1 + Math.floor(random() * 7),
        sequences: 1 + Math.floor(random() * 60),
        seed,
        missing: seed % 2 ? 0.2 : 0,
      });
      const { data, counter } = counted(table);
      for (const range of [[0, 65535], [0, 0], [65535, 65535], randomRange(random)] as const) {
        counter.move(range);
        expect(counter.sums).toEqual(bruteSums(table, data, range));
      }
    }
  });

  it("stay exact over a long walk of the slider with small moves and jumps", () => {
    const table = syntheticTable({
      attributes: 3,
      levels: 4,
      steps: 5,
      sequences: 400,
      seed: 5,
      missing: 0.05,
    });
    const { data, counter } = counted(table);
    const random = randomNumbers(99);
    let range = randomRange(random);
    for (let move = 0; move < 400; move++) {
      const small = (): number => Math.round((random() - 0.5) * 1500);
      range = random() < 0.15 ? randomRange(random) : [range[0] + small(), range[1] + small()];
      range = [Math.max(0, Math.min(range[0], range[1])), Math.min(65535, Math.max(...range))];
      counter.move(range);
      if (move % 20 === 0) expect(counter.sums).toEqual(bruteSums(table, data, range));
    }
    const fresh = new Counter(data);
    fresh.move(range);
    expect(counter.sums).toEqual(fresh.sums);
  });

  it("are exact without checkpoints, and for a range without events", () => {
    const table = syntheticTable({ attributes: 2, levels: 3, steps: 4, sequences: 50, seed: 3 });
    const { data } = counted(table);
    const bare = new Counter({ ...data, checkpoints: data.checkpoints.slice(0, 1) });
    bare.move([20000, 40000]);
    expect(bare.sums).toEqual(bruteSums(table, data, [20000, 40000]));
    bare.move([40000, 20000]);
    expect(bare.sums.every((sum) => sum === 0)).toBe(true);
  });

  it("hold weights of more than 2³² in all", () => {
    const table = syntheticTable({ attributes: 1, levels: 2, steps: 1, sequences: 70000, seed: 2 });
    table.weight.fill(65535);
    table.levels.fill(0);
    const { counter } = counted(table);
    counter.move([0, 65535]);
    expect(counter.sums.reduce((sum, each) => sum + each, 0)).toBe(70000 * 65535);
  });
});

describe("saliency and variance", () => {
  const table = syntheticTable({ attributes: 3, levels: 4, steps: 6, sequences: 90, seed: 11, missing: 0.1 });
  const { positives, negatives } = table.header.class;

  it("follow their definitions for every selector, range of steps and cell", () => {
    const { data, counter } = counted(table);
    const range = [9000, 50000] as const;
    counter.move(range);
    for (const steps of [
      [0, 5],
      [2, 3],
      [4, 4],
    ] as const)
      for (const selector of ["positive", "negative", "both", "difference"] as const) {
        const found = measures(counter.sums, data.layout, { positives, negatives }, { selector, steps });
        const cells = new MatrixCells(data.layout, 0, 2);
        cells.columns.forEach((column, i) =>
          cells.rows.forEach((row, j) => {
            const heat = ([1, 0] as const).map((one) =>
              heatBySteps(table, [0, 2], [column, row], one, range),
            );
            const together = heat[0]!.map((sum, t) => sum + heat[1]![t]!);
            const expected = {
              positive: bruteCell(heat[0]!, positives, steps),
              negative: bruteCell(heat[1]!, negatives, steps),
              both: bruteCell(together, positives + negatives, steps),
            };
            const difference = {
              saliency: expected.positive.saliency - expected.negative.saliency,
              variance: expected.positive.variance - expected.negative.variance,
            };
            const wanted = selector === "difference" ? difference : expected[selector];
            expect(found.saliency[cells.at(i, j)]).toBeCloseTo(wanted.saliency, 12);
            expect(found.variance[cells.at(i, j)]).toBeCloseTo(wanted.variance, 12);
          }),
        );
      }
  });

  it("are the same for a pair and its mirror image", () => {
    const { data } = counted(table);
    const [one, mirror] = [new MatrixCells(data.layout, 0, 1), new MatrixCells(data.layout, 1, 0)];
    expect(mirror.columns).toEqual(one.rows);
    one.columns.forEach((_, i) => one.rows.forEach((_, j) => expect(mirror.at(j, i)).toBe(one.at(i, j))));
  });

  it("are 0 for a class without sequences", () => {
    const { data, counter } = counted(table);
    counter.move([0, 65535]);
    const found = measures(
      counter.sums,
      data.layout,
      { positives: 0, negatives },
      { selector: "positive", steps: [0, 5] },
    );
    expect(found.saliency.every((value) => value === 0)).toBe(true);
  });
});

describe("counts of events", () => {
  it("are those behind each cell, and the same whatever attributes are counted", () => {
    const table = syntheticTable({
      attributes: 4,
      levels: 4,
      steps: 5,
      sequences: 80,
      seed: 21,
      missing: 0.1,
    });
    const range = [5000, 60000] as const;
    const { data, counter } = counted(table, [3, 1]);
    counter.move(range);
    const counts = pairCounts(data, [0, 1], counter.places, [1, 3]);
    const cells = new MatrixCells(data.layout, 0, 1);
    cells.columns.forEach((column, i) =>
      cells.rows.forEach((row, j) => {
        const behind = eventsBehind(table, [3, 1], [column, row], range).filter(
          (event) => table.step[event]! >= 1 && table.step[event]! <= 3,
        );
        const positive = behind.filter((event) => table.positive[table.sequence[event]!]).length;
        const at = j * cells.columns.length + i;
        const half = cells.columns.length * cells.rows.length;
        expect([counts[at], counts[half + at]]).toEqual([positive, behind.length - positive]);
      }),
    );
  });
});

describe("the layout of cells", () => {
  it("leaves out levels that no event has", () => {
    const table = syntheticTable({ attributes: 2, levels: 5, steps: 3, sequences: 40, seed: 4 });
    const { events } = table.header;
    table.levels.subarray(0, events).forEach((level, e) => (table.levels[e] = level === 1 ? 0 : level));
    expect(levelsThatOccur(table)[0]).not.toContain(1);
  });

  it("takes the attributes that fit into the memory it may use, and no more", () => {
    const levels = [[...Array(200).keys()], [...Array(200).keys()], [0, 1], [...Array(200).keys()]];
    const fitting = attributesThatFit(levels, [0, 1, 2, 3], 12, 1_100_000);
    expect(fitting).toEqual([0, 1, 2]);
    expect(cellLayout(levels, fitting, 12).cells * 24).toBeLessThanOrEqual(1_100_000);
  });

  it("counts the paper's data in few megabytes", () => {
    const { data } = counted(syntheticTable(PAPER_SIZE));
    expect(data.checkpoints.length).toBeGreaterThanOrEqual(16);
    const bytes = data.checkpoints.reduce((sum, each) => sum + each.byteLength, 0);
    expect(bytes).toBeLessThan(80_000_000);
  });
});
