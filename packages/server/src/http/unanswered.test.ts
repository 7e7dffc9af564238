import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { Unanswered } from './unanswered.ts';

const socketOf = (writable: boolean): Socket => ({ writable }) as Socket;
const response = (): ServerResponse => new EventEmitter() as ServerResponse;

test('it waits for all answers of a connection, and not for those of others', () => {
  const unanswered = new Unanswered();
  const socket = socketOf(true);
  const [first, second] = [response(), response()];
  unanswered.add(socket, first);
  unanswered.add(socket, second);
  unanswered.add(socketOf(true), response());
  let runs = 0;
  unanswered.whenNone(socket, () => (runs += 1));
  first.emit('close');
  expect(runs).toBe(0);
  second.emit('close');
  expect(runs).toBe(1);
  unanswered.whenNone(socket, () => (runs += 1));
  expect(runs).toBe(2);
});

test('nothing comes behind the last answer', () => {
  const unanswered = new Unanswered();
  const socket = socketOf(false);
  const last = response();
  unanswered.add(socket, last);
  unanswered.whenNone(socket, () => expect.unreachable());
  last.emit('close');
});
