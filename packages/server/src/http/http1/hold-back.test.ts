import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { holdBack } from './hold-back.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a service is not read while its visitor has no room, and read on once there is some', async () => {
  const service = new PassThrough().resume();
  const visitor = new PassThrough({ highWaterMark: 4 });
  holdBack(service, visitor);
  await turn();
  expect(service.isPaused()).toBe(false);
  visitor.write('too much');
  holdBack(service, visitor);
  // As Node does behind each interim answer.
  service.resume();
  await turn();
  expect(service.isPaused()).toBe(true);
  visitor.resume();
  await turn();
  expect(service.isPaused()).toBe(false);
});
