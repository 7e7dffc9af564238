// Connections of every kind while the link below them breaks in every way: not a byte is lost, nobody notices.
import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { expectNothingLeftOpen } from './support/open-handles.ts';
import { startClient, startServer } from './support/pair.ts';
import { patternBytes, PatternChecker } from './support/pattern.ts';
import { type Random, randomInteger, seededRandom } from './support/random.ts';
import { type Relay, startRelay } from './support/relay.ts';
import { TcpService } from './support/tcp-service.ts';
import { visit, type Visitor } from './support/visitor.ts';

/** `TUNNEL_TEST_BREAKS=1000` for a long run, `TUNNEL_TEST_SEED` to see a failure again. */
const BREAKS = Number(process.env['TUNNEL_TEST_BREAKS'] ?? 30);
/** `TUNNEL_TEST_STREAMS=100` for the figures. */
const STREAMS = Number(process.env['TUNNEL_TEST_STREAMS'] ?? 24);
const SEED = Number(process.env['TUNNEL_TEST_SEED'] ?? Math.floor(Math.random() * 0x1_0000_0000));

const KiB = 1024;
const MiB = 1024 * KiB;

const HEARTBEAT = { intervalMs: 150, timeoutMs: 600 };

/** What all of this may take after the last break, in ms. */
const FINISH_MS = 20_000;

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(`TUNNEL_TEST_SEED=${SEED}`);
});

/** Writes a pattern for as long as `goesOn` says so, then ends; at most one write ahead of the socket. */
class Writer {
  sentBytes = 0;
  isDone = false;
  readonly #socket: Socket;
  readonly #seed: number;
  readonly #random: Random;
  readonly #goesOn: () => boolean;

  constructor(socket: Socket, seed: number, goesOn: () => boolean) {
    this.#socket = socket;
    this.#seed = seed;
    this.#random = seededRandom(seed);
    this.#goesOn = goesOn;
    this.#write();
  }

  readonly #write = (): void => {
    if (this.#socket.destroyed) return;
    if (!this.#goesOn()) {
      this.isDone = true;
      this.#socket.end();
      return;
    }
    // Single bytes as well as more than a window.
    const bytes = Math.ceil(2 ** (this.#random() * 18));
    this.#socket.write(patternBytes(this.#seed, this.sentBytes, bytes), () => setImmediate(this.#write));
    this.sentBytes += bytes;
  };
}

/** One connection through the tunnel, from both of its ends. */
interface Traffic {
  readonly kind: string;
  readonly visitor: Visitor;
  /** Resolves when both directions came to their ends; rejects with what was wrong. */
  readonly finish: () => Promise<void>;
}

class Chaos {
  isOver = false;
  readonly goesOn = (): boolean => !this.isOver;
}

type Kind = (chaos: Chaos, port: (service: ServiceName) => number, seed: number) => Promise<Traffic>;
type ServiceName = 'echo' | 'source' | 'sink' | 'answer';

/** What the sink and the answer service got, by the seed that the visitor named in its first 4 bytes. */
class Services implements AsyncDisposable {
  readonly arrived = new Map<number, PatternChecker>();
  readonly sent = new Map<number, Writer>();
  readonly endings = new Map<number, Promise<string>>();
  readonly #services: Readonly<Record<ServiceName, TcpService>>;

  private constructor(services: Readonly<Record<ServiceName, TcpService>>) {
    this.#services = services;
  }

  static async start(chaos: Chaos): Promise<Services> {
    const self: { services?: Services } = {};
    const greeted = (serve: (services: Services, socket: Socket, seed: number) => void): Promise<TcpService> =>
      TcpService.listen({}, (socket) => readSeed(socket, (seed) => serve(self.services!, socket, seed)));
    const check = (services: Services, socket: Socket, seed: number): void => {
      const checker = new PatternChecker(seed);
      services.arrived.set(seed, checker);
      socket.on('data', (chunk: Buffer) => checker.update(chunk));
      services.endings.set(seed, endingOf(socket));
    };
    self.services = new Services({
      echo: await TcpService.listen({}, (socket) => socket.pipe(socket)),
      source: await greeted((services, socket, seed) => {
        services.sent.set(seed, new Writer(socket, seed, chaos.goesOn));
        check(services, socket, seed);
      }),
      sink: await greeted(check),
      // Says something only after the visitor's end.
      answer: await greeted((services, socket, seed) => {
        check(services, socket, seed);
        socket.on('end', () => services.sent.set(seed, new Writer(socket, seed, chaos.goesOn)));
      }),
    });
    return self.services;
  }

  get ports(): readonly number[] {
    return Object.values(this.#services).map(({ port }) => port);
  }

  indexOf(name: ServiceName): number {
    return Object.keys(this.#services).indexOf(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const service of Object.values(this.#services)) await service.close();
  }
}

function readSeed(socket: Socket, serve: (seed: number) => void): void {
  const onReadable = (): void => {
    const seed = socket.read(4) as Buffer | null;
    if (seed === null) return;
    socket.off('readable', onReadable);
    serve(seed.readUInt32BE());
  };
  socket.on('readable', onReadable);
}

function endingOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('end', () => resolve('end'));
    socket.once('close', () => resolve('close'));
  });
}

async function visitAs(port: number, seed: number): Promise<Visitor> {
  const visitor = await visit(port, { seed });
  const greeting = Buffer.alloc(4);
  greeting.writeUInt32BE(seed);
  visitor.socket.write(greeting);
  return visitor;
}

function kinds(services: Services): Readonly<Record<string, Kind>> {
  const expectArrived = async (seed: number, bytes: number): Promise<void> => {
    expect(await services.endings.get(seed)).toBe('end');
    services.arrived.get(seed)?.expectEnd(bytes);
  };
  const expectVisited = async (visitor: Visitor, bytes: () => number): Promise<void> => {
    expect(await visitor.waitForEnding(FINISH_MS)).toBe('end');
    visitor.checker?.expectEnd(bytes());
  };
  return {
    'a download': async (_chaos, port, seed) => {
      const visitor = await visitAs(port('source'), seed);
      const finish = async (): Promise<void> => {
        await expectVisited(visitor, () => services.sent.get(seed)?.sentBytes ?? -1);
        visitor.socket.end();
        await expectArrived(seed, 0);
      };
      return { kind: 'a download', visitor, finish };
    },
    'an upload': async (chaos, port, seed) => {
      const visitor = await visitAs(port('sink'), seed);
      const writer = new Writer(visitor.socket, seed, chaos.goesOn);
      const finish = async (): Promise<void> => {
        await expect.poll(() => services.arrived.get(seed)?.offset, { timeout: FINISH_MS }).toBe(writer.sentBytes);
        await expectArrived(seed, writer.sentBytes);
        expect(visitor.ending).toBeUndefined();
      };
      return { kind: 'an upload', visitor, finish };
    },
    'both ways at once': async (chaos, port, seed) => {
      const visitor = await visitAs(port('source'), seed);
      const writer = new Writer(visitor.socket, seed, chaos.goesOn);
      const finish = async (): Promise<void> => {
        await expectVisited(visitor, () => services.sent.get(seed)?.sentBytes ?? -1);
        await expectArrived(seed, writer.sentBytes);
      };
      return { kind: 'both ways at once', visitor, finish };
    },
    'an echo': async (chaos, port, seed) => {
      const visitor = await visit(port('echo'), { seed });
      const writer = new Writer(visitor.socket, seed, chaos.goesOn);
      return { kind: 'an echo', visitor, finish: () => expectVisited(visitor, () => writer.sentBytes) };
    },
    'ping-pong': async (chaos, port, seed) => {
      const visitor = await visit(port('echo'), { seed });
      let sentBytes = 0;
      const ping = (): void => {
        if (chaos.isOver) {
          visitor.socket.end();
          return;
        }
        visitor.socket.write(patternBytes(seed, sentBytes, 1));
        sentBytes += 1;
        void visitor.waitForBytes(sentBytes, 120_000).then(
          () => setImmediate(ping),
          () => {},
        );
      };
      ping();
      return { kind: 'ping-pong', visitor, finish: () => expectVisited(visitor, () => sentBytes) };
    },
    'a slow reader': async (chaos, port, seed) => {
      const visitor = await visitAs(port('source'), seed);
      // Takes what one turn brings, a few times a second.
      const pace = setInterval(() => {
        visitor.socket.resume();
        setImmediate(() => {
          if (!chaos.isOver) visitor.socket.pause();
        });
      }, 100);
      const finish = async (): Promise<void> => {
        clearInterval(pace);
        visitor.socket.resume();
        await expectVisited(visitor, () => services.sent.get(seed)?.sentBytes ?? -1);
        visitor.socket.end();
        await expectArrived(seed, 0);
      };
      return { kind: 'a slow reader', visitor, finish };
    },
    'short ones, one after another, also while there is no link': async (chaos, port, seed) => {
      const visitor = await visit(port('echo'), { seed });
      const goOn = async (): Promise<void> => {
        while (!chaos.isOver) {
          await using short = await visit(port('echo'), { seed });
          short.socket.end(patternBytes(seed, 0, 500));
          expect(await short.waitForEnding(40_000)).toBe('end');
          short.checker?.expectEnd(500);
        }
      };
      const all = goOn();
      all.catch(() => {});
      const finish = async (): Promise<void> => {
        visitor.socket.end();
        await expectVisited(visitor, () => 0);
        await all;
      };
      return { kind: 'short ones', visitor, finish };
    },
    'half-closed by the visitor': async (_chaos, port, seed) => {
      const visitor = await visitAs(port('answer'), seed);
      visitor.socket.end(patternBytes(seed, 0, 100_000));
      const finish = async (): Promise<void> => {
        await expectVisited(visitor, () => services.sent.get(seed)?.sentBytes ?? -1);
        await expectArrived(seed, 100_000);
      };
      return { kind: 'half-closed by the visitor', visitor, finish };
    },
  };
}

/** The ways to break a link, and what is left of the network afterwards. */
const breaks: Readonly<Record<string, (relay: Relay, random: Random) => void>> = {
  reset: (relay) => relay.resetAll(),
  end: (relay) => relay.endAll(),
  silence: (relay) => relay.silence(),
  'silence one way': (relay, random) => relay.silence({ direction: random() < 0.5 ? 'to-target' : 'to-client' }),
  'cut at a byte': (relay, random) =>
    relay.cutAfter({
      direction: random() < 0.5 ? 'to-target' : 'to-client',
      bytes: randomInteger(random, 0, 40_000),
      ending: (['reset', 'end', 'silence'] as const)[randomInteger(random, 0, 2)]!,
    }),
  'cut the next link early': (relay, random) => {
    const direction = random() < 0.5 ? 'to-target' : 'to-client';
    relay.cutAfter({ direction, bytes: randomInteger(random, 0, 2_000), next: 1 });
    relay.resetAll();
  },
  'flip a bit of the next link': (relay, random) => {
    const direction = random() < 0.5 ? 'to-target' : 'to-client';
    relay.flipBit({ direction, offset: randomInteger(random, 0, 20_000), bit: randomInteger(random, 0, 7) });
    relay.resetAll();
  },
};

test(
  `${STREAMS} connections of every kind survive ${BREAKS} breaks of their link`,
  async () => {
    const random = seededRandom(SEED);
    await expectNothingLeftOpen(async () => {
      const chaos = new Chaos();
      await using services = await Services.start(chaos);
      await using server = await startServer({ heartbeat: HEARTBEAT });
      await using relay = await startRelay({ targetPort: server.port });
      await using client = await startClient(relay.port, services.ports, {
        heartbeat: HEARTBEAT,
        maxReconnectDelayMs: 100,
        connectTimeoutMs: 2_000,
      });
      const publicPorts = [...client.ports];
      const port = (name: ServiceName): number => publicPorts[services.indexOf(name)]!;
      // So much is in the air for so long that breaks fall into the middle of it.
      relay.throttle(24 * MiB);
      const all = Object.values(kinds(services));
      const traffic: Traffic[] = [];
      try {
        for (let index = 0; index < STREAMS; index += 1)
          traffic.push(await all[index % all.length]!(chaos, port, index + 1));
        const told: string[] = [];
        for (let count = 0; count < BREAKS; count += 1) {
          const [name, act] = Object.entries(breaks)[randomInteger(random, 0, Object.keys(breaks).length - 1)]!;
          told.push(name);
          const resumed = client.log
            .waitForNext('ready', () => true, 15_000)
            .catch((error: unknown) => {
              throw new Error(`break ${count} (${name}) of seed ${SEED}`, { cause: error });
            });
          act(relay, random);
          expect((await resumed).event, `break ${count} (${name})`).toMatchObject({ resumed: true, lostStreams: 0 });
          relay.delay(random() < 0.3 ? randomInteger(random, 1, 40) : 0);
          relay.throttle(random() < 0.3 ? randomInteger(random, 1, 4) * MiB : 24 * MiB);
          const direction = random() < 0.5 ? 'to-target' : 'to-client';
          const bytes = randomInteger(random, 0, 512) * KiB;
          await relay.waitForBytes(direction, relay.forwardedBytes(direction) + bytes, 15_000);
        }
        relay.heal();
        chaos.isOver = true;
        const results = await Promise.allSettled(traffic.map(({ finish }) => finish()));
        const wrong = results.flatMap((result, index) =>
          result.status === 'rejected' ? [`${traffic[index]?.kind}: ${String(result.reason)}`] : [],
        );
        expect(wrong, `seed ${SEED}, breaks: ${told.join(', ')}`).toEqual([]);
        expect(client.ports).toEqual(publicPorts);
        expect(client.log.all('stopped')).toEqual([]);
        const received = traffic.reduce((sum, { visitor }) => sum + visitor.receivedBytes, 0);
        console.log(`${BREAKS} breaks, ${(received / MiB).toFixed(0)} MiB came to visitors, seed ${SEED}`);
      } finally {
        chaos.isOver = true;
        for (const { visitor } of traffic) await visitor[Symbol.asyncDispose]();
      }
    });
  },
  180_000 + BREAKS * 2_000,
);
