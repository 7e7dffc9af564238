import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Fifo } from './fifo.ts';

function expectSame(actual: number | undefined, expected: number | undefined): void {
  expect(actual).toBe(expected);
}

it('is an array whose front goes first', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.nat().map((value) => ({ type: 'push' as const, value })) },
    { weight: 4, arbitrary: fc.constant({ type: 'shift' as const }) },
    { weight: 1, arbitrary: fc.nat().map((value) => ({ type: 'replace' as const, value })) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat({ max: 3000 }), (steps, filled) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      // Beyond the size at which the array is cut.
      for (let index = 0; index < filled; index += 1) {
        fifo.push(index);
        model.push(index);
        if (index % 4 === 0) expectSame(fifo.shift(), model.shift());
      }
      while (model.length > 100) expect(fifo.shift()).toBe(model.shift());
      for (const { type, value } of steps.map((each) => ({ value: 0, ...each }))) {
        if (type === 'push') {
          fifo.push(value);
          model.push(value);
        } else if (type === 'shift') {
          expectSame(fifo.shift(), model.shift());
        } else if (model.length > 0) {
          fifo.replaceFirst(value);
          model[0] = value;
        }
        expect(fifo.length).toBe(model.length);
        expect(fifo.peek()).toBe(model[0]);
        expect(fifo.at(model.length >> 1)).toBe(model[model.length >> 1]);
      }
      while (model.length > 0) expect(fifo.shift()).toBe(model.shift());
      expect(fifo.shift()).toBeUndefined();
      expect(fifo.length).toBe(0);
    }),
  );
});

it('is empty once it was cleared', () => {
  const fifo = new Fifo<string>();
  fifo.push('a');
  fifo.push('b');
  fifo.shift();
  fifo.clear();
  expect(fifo.length).toBe(0);
  expect(fifo.peek()).toBeUndefined();
  fifo.push('c');
  expect(fifo.shift()).toBe('c');
});
