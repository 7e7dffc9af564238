// Visitors that leave as soon as they came, in great numbers: the others are served, and the service hears little of it.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { TcpService } from './support/tcp-service.ts';
import { isAnswered } from './support/visitor.ts';

const VISITORS_PER_SECOND = 2_500;
const HONEST_VISITORS = 40;

/** Connects to a port again and again, and resets each connection as soon as it stands, in a thread of its own. */
class Storm implements AsyncDisposable {
  readonly #worker: Worker;

  constructor(port: number) {
    const program = `
      const { connect } = require('node:net');
      const { parentPort } = require('node:worker_threads');
      let visitors = 0;
      let due = 0;
      let before = performance.now();
      setInterval(() => {
        const now = performance.now();
        due = Math.min(100, due + ((now - before) * ${VISITORS_PER_SECOND}) / 1000);
        before = now;
        for (; due >= 1; due -= 1) {
          const socket = connect(${port}, '127.0.0.1');
          socket.on('error', () => {});
          socket.on('connect', () => {
            visitors += 1;
            socket.resetAndDestroy();
          });
        }
        parentPort.postMessage(visitors);
      }, 5);
    `;
    this.#worker = new Worker(program, { eval: true });
  }

  /** Waits until so many have come and gone; returns how many they are. */
  async visitors(atLeast: number): Promise<number> {
    for (;;) {
      const [visitors] = (await once(this.#worker, 'message')) as [number];
      if (visitors >= atLeast) return visitors;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

test('a storm of visitors that reset costs honest ones and the service next to nothing', async () => {
  await using service = await TcpService.listen({}, (socket) => socket.pipe(socket));
  await using server = await startServer();
  await using client = await startClient(server.port, [service.port]);
  await using storm = new Storm(client.port);
  const answered: boolean[] = [];
  let visitors = 0;
  for (let count = 0; count < HONEST_VISITORS; count += 1) {
    visitors = await storm.visitors(visitors + 100);
    answered.push(await isAnswered(client.port));
  }
  expect(answered.filter((wasAnswered) => !wasAnswered)).toEqual([]);
  expect(client.log.names).toEqual(['ready']);
  // Before those who leave at once were left out, it was two in three.
  expect(service.connectionCount - HONEST_VISITORS).toBeLessThan(visitors / 4);
}, 60_000);
