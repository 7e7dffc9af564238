import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Client, parseServerAddress } from '@tunnel/client';
import { createInternalClient } from '@tunnel/client/internal';
import { nodeCrypto, randomBytes } from '@tunnel/shared/node';
import { expect, test } from 'vitest';
import { startTunnel, type TunnelProcess } from './support/command.ts';
import { TEST_SECRET } from './support/pair.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

/** `TUNNEL_TEST_SESSIONS=2000` for the figures. */
const SESSIONS = Number(process.env['TUNNEL_TEST_SESSIONS'] ?? 300);
const BACK_WITHIN_MS = 30_000;
/** Of a few sessions, chance brings more. */
const GREATEST_PART_A_SECOND = SESSIONS >= 2_000 ? 0.15 : 0.6;
const GREATEST_ATTEMPTS = 5;

/** A client of the storm, and what it went through since `watch` began. */
class Swarm implements AsyncDisposable {
  readonly #clients: Client[] = [];
  readonly #attempts = new Map<Client, number>();
  #readyAt: number[] = [];
  #onReady: () => void = () => {};

  constructor(serverPort: number) {
    const surroundings = { monotonicMs: 0, wallMs: 0, addresses: '' };
    for (let count = 0; count < SESSIONS; count += 1) {
      const client = createInternalClient({
        server: parseServerAddress(`127.0.0.1:${serverPort}`),
        identity: randomBytes(32),
        secret: TEST_SECRET,
        tunnels: [{ target: { host: '127.0.0.1', port: 9 } }],
        lookAround: () => surroundings,
        crypto: nodeCrypto,
      });
      client.on('ready', () => {
        this.#readyAt.push(performance.now());
        this.#onReady();
      });
      client.on('retrying', () => this.#attempts.set(client, (this.#attempts.get(client) ?? 0) + 1));
      this.#clients.push(client);
    }
  }

  start(): void {
    for (const client of this.#clients) client.start();
  }

  /** Waits until all were ready again since the last `forget`; returns when each of them was. */
  async allBack(): Promise<readonly number[]> {
    await new Promise<void>((resolve) => {
      this.#onReady = () => {
        if (this.#readyAt.length >= SESSIONS) resolve();
      };
      this.#onReady();
    });
    return this.#readyAt;
  }

  forget(): void {
    this.#readyAt = [];
    this.#attempts.clear();
  }

  forgetAttempts(): void {
    this.#attempts.clear();
  }

  /** Attempts that failed, of the client that had most. */
  get mostRetries(): number {
    return Math.max(0, ...this.#attempts.values());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.abort();
  }
}

/** Asks the control port over HTTP again and again, in a thread that two thousand clients do not keep busy. */
class Prober implements AsyncDisposable {
  readonly #worker: Worker;

  constructor(port: number) {
    const program = `
      const { parentPort } = require('node:worker_threads');
      const { request } = require('node:http');
      let slowestMs = 0;
      const ask = () => {
        const began = performance.now();
        request({ port: ${port}, host: '127.0.0.1', agent: false }, (response) => {
          response.resume();
          response.once('end', () => {
            slowestMs = Math.max(slowestMs, performance.now() - began);
            setImmediate(ask);
          });
        }).end();
      };
      parentPort.on('message', () => parentPort.postMessage(slowestMs));
      ask();
    `;
    this.#worker = new Worker(program, { eval: true });
  }

  /** Of the slowest answer so far, in ms. */
  async slowestMs(): Promise<number> {
    const told = once(this.#worker, 'message') as Promise<[number]>;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows, not for threads
    this.#worker.postMessage('tell');
    return (await told)[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

function greatestPartInASecond(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  let most = 0;
  for (const [index, time] of sorted.entries()) {
    const end = sorted.findIndex((other) => other >= time + 1_000);
    most = Math.max(most, (end === -1 ? sorted.length : end) - index);
  }
  return most / times.length;
}

async function startServer(
  home: string,
  port: number,
): Promise<{ readonly server: TunnelProcess; readonly port: number }> {
  const args = ['server', '--host', '127.0.0.1', '--port', String(port), '--output', 'json', '--log-level', 'error'];
  const server = await startTunnel(args, { home, env: { TUNNEL_SECRET: TEST_SECRET } });
  const listening = await server.waitForEvent('listening');
  return { server, port: Number(listening['port']) };
}

interface Restart {
  /** When each session was ready again, in ms since the new server listened. */
  readonly backAfterMs: readonly number[];
  /** Of the client that needed most. */
  readonly mostAttempts: number;
  /** Of all HTTP answers meanwhile. */
  readonly slowestAnswerMs: number;
}

/** Ends a server of many sessions with this signal, starts it again, and waits until they are all back. */
async function restartUnderSessions(signal: NodeJS.Signals): Promise<Restart> {
  await using home = await temporaryDirectory();
  const first = await startServer(home.path, 0);
  await using swarm = new Swarm(first.port);
  swarm.start();
  await swarm.allBack();
  swarm.forget();
  first.server.kill(signal);
  await first.server.exit;
  await using _second = (await startServer(home.path, first.port)).server;
  const began = performance.now();
  swarm.forgetAttempts();
  await using prober = new Prober(first.port);
  const backAfterMs = (await swarm.allBack()).map((time) => time - began);
  return { backAfterMs, mostAttempts: swarm.mostRetries + 1, slowestAnswerMs: await prober.slowestMs() };
}

test(`a server killed under ${SESSIONS} sessions has them all back soon, and stays responsive`, async () => {
  const { backAfterMs, mostAttempts, slowestAnswerMs } = await restartUnderSessions('SIGKILL');
  const tookMs = Math.max(...backAfterMs);
  console.log(
    `SIGKILL under ${SESSIONS} sessions: all back after ${tookMs.toFixed(0)} ms, at most ${mostAttempts} attempts, ` +
      `slowest HTTP answer meanwhile ${slowestAnswerMs.toFixed(0)} ms`,
  );
  expect(tookMs).toBeLessThan(BACK_WITHIN_MS);
  expect(mostAttempts).toBeLessThanOrEqual(GREATEST_ATTEMPTS);
  expect(slowestAnswerMs).toBeLessThan(5_000);
}, 180_000);

test(`an announced restart under ${SESSIONS} sessions spreads their return`, async () => {
  const { backAfterMs, mostAttempts } = await restartUnderSessions('SIGTERM');
  const tookMs = Math.max(...backAfterMs);
  const part = greatestPartInASecond(backAfterMs);
  console.log(
    `announced restart of ${SESSIONS} sessions: all back after ${tookMs.toFixed(0)} ms, ` +
      `at most ${(part * 100).toFixed(1)} % in a second, at most ${mostAttempts} attempts`,
  );
  expect(tookMs).toBeLessThan(BACK_WITHIN_MS);
  expect(part).toBeLessThan(GREATEST_PART_A_SECOND);
  expect(mostAttempts).toBeLessThanOrEqual(GREATEST_ATTEMPTS);
}, 180_000);
