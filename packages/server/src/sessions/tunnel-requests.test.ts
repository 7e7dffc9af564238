import { expect, test } from 'vitest';
import { type TunnelRequest, TunnelRequests } from './tunnel-requests.ts';

const BURST = 1024;
const A_SECOND = 64;

function request(tunnelId: number, terms: TunnelRequest['terms'] = []): TunnelRequest {
  return { tunnelId, kind: 1, wanted: '', label: '', terms };
}

/** Answers all that can be answered now; returns how many. */
function answerAll(requests: TunnelRequests, now: number): number {
  let count = 0;
  for (; requests.first && requests.waitMs(now) === 0; count += 1) requests.takeFirst(now);
  return count;
}

test('a whole session of tunnels is answered at once, further requests at a pace', () => {
  const requests = new TunnelRequests();
  for (let id = 1; id <= 2 * BURST; id += 1) expect(requests.add(request(id))).toBe(true);
  expect(answerAll(requests, 0)).toBe(BURST);
  expect(requests.waitMs(0)).toBe(16);
  expect(requests.waitMs(15)).toBe(1);
  expect(answerAll(requests, 1_000)).toBe(A_SECOND);
  expect(requests.first?.tunnelId).toBe(BURST + A_SECOND + 1);
  // Quiet time earns no more than the burst.
  expect(answerAll(requests, 3_600_000)).toBe(BURST - A_SECOND);
  for (let id = 1; id <= 2 * BURST; id += 1) requests.add(request(id));
  expect(answerAll(requests, 7_200_000)).toBe(BURST);
});

test('what took more work than a request is worked off before the next one', () => {
  const requests = new TunnelRequests();
  requests.add(request(1));
  requests.spend(BURST + A_SECOND, 0);
  expect(requests.waitMs(0)).toBe(1_016);
  expect(requests.waitMs(1_016)).toBe(0);
});

test('there is room for so many, and for so many bytes of rules', () => {
  const many = new TunnelRequests();
  for (let id = 1; id <= 2 * BURST; id += 1) expect(many.add(request(id))).toBe(true);
  expect(many.add(request(1))).toBe(false);
  many.takeFirst(0);
  expect(many.add(request(1))).toBe(true);

  const large = new TunnelRequests();
  const rules = Array.from({ length: 256 }, () => ({ term: 'allow', network: 'x'.repeat(255) }) as const);
  let count = 0;
  while (large.add(request(count, rules))) count += 1;
  expect(count).toBe(113);
});

test('requests for a tunnel that was given back are dropped, the others keep their order', () => {
  const requests = new TunnelRequests();
  for (const id of [1, 2, 1, 3]) requests.add(request(id));
  requests.cancel(1);
  requests.cancel(9);
  expect(requests.count).toBe(2);
  expect(requests.first?.tunnelId).toBe(2);
  requests.takeFirst(0);
  expect(requests.first?.tunnelId).toBe(3);
});

test('who asks and gives back on and on takes up no room', () => {
  const requests = new TunnelRequests();
  for (let round = 0; round < 10 * BURST; round += 1) {
    expect(requests.add(request(round))).toBe(true);
    requests.cancel(round);
  }
  expect(requests.count).toBe(0);
});
