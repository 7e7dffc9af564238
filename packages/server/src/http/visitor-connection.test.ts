import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { VisitorConnection } from './visitor-connection.ts';

test('requests take turns', () => {
  const connection = new VisitorConnection(new Socket());
  const ran: number[] = [];
  for (let request = 0; request <= 128; request += 1) connection.inTurn(() => ran.push(request));
  expect(ran).toEqual([0]);
  for (let request = 0; request <= 128; request += 1) connection.next();
  expect(ran).toEqual(Array.from({ length: 129 }, (_, request) => request));
  connection.inTurn(() => ran.push(129));
  expect(ran.at(-1)).toBe(129);
});

test('a connection on which more wait is closed, and none of them runs', () => {
  const socket = new Socket();
  const connection = new VisitorConnection(socket);
  let runs = 0;
  for (let request = 0; request < 1_000; request += 1) connection.inTurn(() => (runs += 1));
  expect([socket.destroyed, runs]).toEqual([true, 1]);
});

test('a host that somebody else has now gets another stream', () => {
  const connection = new VisitorConnection(new Socket());
  const attributes = { address: '192.0.2.1', port: 1, destinationPort: 80 };
  const [first, second] = [{}, {}];
  const take = (owner: object): unknown => {
    let taken: unknown;
    connection.withUpstream('shop.example.org', owner, false, attributes, (upstream) => (taken = upstream))();
    return taken;
  };
  const upstream = take(first);
  expect(take(first)).toBe(upstream);
  const next = take(second);
  expect(next).not.toBe(upstream);
  expect(take(second)).toBe(next);
});

test('a connection whose waiting requests have long heads is closed sooner', () => {
  const socket = new Socket();
  const connection = new VisitorConnection(socket);
  const request = { isBodyWhole: true, rawHeaders: ['Cookie', 'x'.repeat(60_000)] };
  for (let count = 0; count < 5; count += 1) connection.inTurn(() => {}, request);
  expect(socket.destroyed).toBe(false);
  connection.inTurn(() => {}, request);
  expect(socket.destroyed).toBe(true);
});
