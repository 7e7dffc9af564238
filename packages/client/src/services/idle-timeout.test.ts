import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IdleTimeout } from './idle-timeout.ts';

const TIMEOUT_MS = 50;

let near: Socket;
let far: Socket;
const server = createServer();

beforeEach(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  near.resume();
  [far] = await accepted;
  far.resume();
});

afterEach(async () => {
  near.destroy();
  far.destroy();
  server.close();
  await once(server, 'close');
});

/** Watches a connection; each question about the link is answered by the next of `answers`, and the rest by true. */
function watch(answers: readonly (() => Promise<boolean>)[]): {
  readonly asked: () => number;
  readonly ended: Promise<void>;
} {
  let asked = 0;
  const idle = new IdleTimeout(TIMEOUT_MS);
  const ended = new Promise<void>((resolve) => {
    idle.watch({
      socket: near,
      answers: () => {
        asked += 1;
        return answers[asked - 1]?.() ?? Promise.resolve(true);
      },
      end: resolve,
    });
  });
  watched = idle;
  return { asked: () => asked, ended };
}

let watched: IdleTimeout;

it.each([0, -1, Number.NaN, Infinity, 2 ** 31])('cannot be %d ms', (timeoutMs) => {
  expect(() => new IdleTimeout(timeoutMs)).toThrow(expect.objectContaining({ code: 'usage' }));
});

describe('a connection on which nothing moves', () => {
  it('is ended once the link proved to live', async () => {
    const { asked, ended } = watch([]);
    await ended;
    expect(asked()).toBe(1);
  });

  it('is not ended while there is no link', async () => {
    const { asked, ended } = watch([async () => false, async () => false]);
    await ended;
    expect(asked()).toBe(3);
  });

  it('is not ended where a link began while it was asked for', async () => {
    const { asked, ended } = watch([
      async () => {
        watched.restart();
        return true;
      },
    ]);
    await ended;
    expect(asked()).toBe(2);
  });

  it.each(['in', 'out'] as const)(
    'is not ended where something moved while the link was asked for: %s',
    async (way) => {
      const { asked, ended } = watch([
        async () => {
          const [from, to] = way === 'in' ? [far, near] : [near, far];
          const moved = once(to, 'data');
          from.write('x');
          await moved;
          return true;
        },
      ]);
      await ended;
      expect(asked()).toBe(2);
    },
  );

  it('is not ended twice, nor after its end', async () => {
    let ends = 0;
    const idle = new IdleTimeout(TIMEOUT_MS);
    const asked = new Promise<void>((resolve) => {
      const answers = async (): Promise<boolean> => {
        near.destroy();
        await once(near, 'close');
        setImmediate(resolve);
        return true;
      };
      idle.watch({ socket: near, answers, end: () => (ends += 1) });
    });
    await asked;
    idle.restart();
    expect(ends).toBe(0);
  });
});
