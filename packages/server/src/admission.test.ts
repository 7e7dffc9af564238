import { expect, test } from 'vitest';
import { Admission } from './admission.ts';

function crowd(count: number): { readonly admission: Admission<number>; readonly answers: string[] } {
  const admission = new Admission<number>();
  const answers = Array.from({ length: count }, (_, entry) => admission.request(entry, entry));
  return { admission, answers };
}

test('256 are admitted, 4096 wait, the rest is refused', () => {
  const { answers } = crowd(5_000);
  const count = (answer: string): number => answers.filter((each) => each === answer).length;
  expect([count('admitted'), count('waiting'), count('refused')]).toEqual([256, 4096, 648]);
});

test('who leaves makes room for the one who waits longest', () => {
  const { admission } = crowd(300);
  expect(admission.leave(17, 1_000)).toBe(256);
  expect(admission.leave(257, 1_000)).toBeUndefined(); // gave up while waiting
  expect(admission.leave(256, 1_000)).toBe(258);
  expect(admission.leave(256, 1_000)).toBeUndefined(); // left already
});

test('handshakes that take long make room only while others wait, and only as many as wait', () => {
  const { admission } = crowd(258);
  expect(admission.overdue(2_999)).toEqual([]);
  expect(admission.overdue(3_010)).toEqual([0, 1]);
  expect(crowd(256).admission.overdue(100_000)).toEqual([]);
});
