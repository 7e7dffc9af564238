// What stays open: server-sent events and WebSockets come through a tunnel as they are, and as soon as without one.
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as duration } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { Condition } from './support/condition.ts';
import { encodeHead, latin1 } from './support/http/exchange.ts';
import { type Answer, Scene } from './support/http/scene.ts';
import { EXCHANGE_FIELD, ScriptedService } from './support/http/scripted-service.ts';
import { type HttpTunnel, startHttpTunnel, TUNNEL_HOST } from './support/http/tunnel.ts';
import { patternBytes } from './support/pattern.ts';
import { TcpService } from './support/tcp-service.ts';

const MiB = 1024 * 1024;

/** What a tunnel may add to the way of a message, in ms, in the median. */
const ADDED_MS = 20;
const MESSAGES = 60;
const INTERVAL_MS = 10;

const deflate = { threshold: 0 };

/** A service with events at `/events`, WebSockets that echo, and some that do as their path says. */
class Service implements AsyncDisposable {
  readonly events = new Set<ServerResponse>();
  /** When a message that is its own name arrived, by `performance.now()`. */
  readonly arrivals = new Map<string, number>();
  readonly sockets = new Set<WebSocket>();
  /** How WebSockets ended: code and reason. */
  readonly closes: string[] = [];
  readonly condition = new Condition(() => `${this.events.size} streams, closes: ${this.closes.join('; ')}`);
  readonly #service: TcpService;

  private constructor(service: TcpService) {
    this.#service = service;
  }

  static async start(): Promise<Service> {
    const server = createServer();
    const service = new Service(await TcpService.start(server, {}));
    server.on('request', (incoming, response) => service.#stream(incoming, response));
    const plain = new WebSocketServer({ noServer: true, handleProtocols: () => 'second' });
    const deflating = new WebSocketServer({ noServer: true, perMessageDeflate: deflate });
    for (const webSockets of [plain, deflating]) {
      webSockets.on('headers', (headers) => headers.push('X-Of-Service: yes', 'Set-Cookie: a=1', 'Set-Cookie: b=2'));
    }
    server.on('upgrade', (incoming, socket, head) => {
      if (incoming.url === '/refused') {
        socket.end('HTTP/1.1 403 Not here\r\nX-Why: because\r\nContent-Length: 7\r\n\r\nno, not');
        return;
      }
      const webSockets = incoming.url === '/deflate' ? deflating : plain;
      webSockets.handleUpgrade(incoming, socket, head, (webSocket) => service.#serve(webSocket, incoming.url ?? ''));
    });
    return service;
  }

  get port(): number {
    return this.#service.port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const webSocket of this.sockets) webSocket.terminate();
    return this.#service.close();
  }

  #stream(_incoming: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.flushHeaders();
    this.events.add(response);
    response.on('close', () => {
      this.events.delete(response);
      this.condition.changed();
    });
    this.condition.changed();
  }

  #serve(webSocket: WebSocket, path: string): void {
    this.sockets.add(webSocket);
    webSocket.on('error', () => {});
    webSocket.on('close', (code, reason) => {
      this.sockets.delete(webSocket);
      this.closes.push(`${code} ${reason.toString()}`);
      this.condition.changed();
    });
    const [, code] = /^\/close\/(\d+)$/.exec(path) ?? [];
    if (code !== undefined) webSocket.close(Number(code), 'as asked');
    if (path === '/terminate') webSocket.terminate();
    if (path === '/speaks-first') webSocket.send('hello');
    webSocket.on('message', (data, isBinary) => {
      if (!isBinary) this.arrivals.set((data as Buffer).toString(), performance.now());
      webSocket.send(data, { binary: isBinary });
    });
    this.condition.changed();
  }
}

let service: Service;
let tunnel: HttpTunnel;

beforeAll(async () => {
  service = await Service.start();
  tunnel = await startHttpTunnel(service.port);
});

afterAll(async () => {
  await tunnel[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
});

const WAYS = ['direct', 'through the tunnel'] as const;
type Way = (typeof WAYS)[number];
const portOf = (way: Way): number => (way === 'direct' ? service.port : tunnel.port);

async function openWebSocket(way: Way, path = '/', protocols: string[] = []): Promise<WebSocket> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${portOf(way)}${path}`, protocols, {
    headers: { Host: TUNNEL_HOST },
    perMessageDeflate: path === '/deflate' ? deflate : false,
  });
  await once(webSocket, 'open');
  return webSocket;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** By how much a message is later through the tunnel, in the median. What slows the machine down slows both ways. */
function addedMs(delaysMs: Readonly<Record<Way, readonly number[]>>): number {
  return median(delaysMs['through the tunnel']) - median(delaysMs.direct);
}

describe('a message is there as soon as without a tunnel', () => {
  test('server-sent events', async () => {
    const sentMs: number[] = [];
    const delaysMs: Record<Way, number[]> = { direct: [], 'through the tunnel': [] };
    const condition = new Condition(() => JSON.stringify(delaysMs));
    const subscribers = WAYS.map((way) => {
      const subscriber = request({
        port: portOf(way),
        host: '127.0.0.1',
        path: '/events',
        headers: { Host: TUNNEL_HOST },
      });
      subscriber.on('response', (response) => {
        let text = '';
        response.on('error', () => {});
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
          const nowMs = performance.now();
          const events = text.split('\n\n');
          text = events.pop() ?? '';
          for (const event of events) delaysMs[way].push(nowMs - sentMs[Number(event.slice('data: '.length))]!);
          condition.changed();
        });
      });
      subscriber.end();
      return subscriber;
    });
    await service.condition.until('two subscribers', () => service.events.size === 2);
    for (let event = 0; event < MESSAGES; event += 1) {
      sentMs.push(performance.now());
      for (const response of service.events) response.write(`data: ${event}\n\n`);
      await duration(INTERVAL_MS); // the pace of the events
    }
    await condition.until('all events', () => WAYS.every((way) => delaysMs[way].length === MESSAGES));
    expect(addedMs(delaysMs)).toBeLessThan(ADDED_MS);
    // The visitor leaves, and the service learns it.
    for (const subscriber of subscribers) subscriber.destroy();
    await service.condition.until('both left', () => service.events.size === 0);
  });

  test.each(['/', '/deflate'])('WebSocket messages to the service and back, at %s', async (path) => {
    const there: Record<Way, number[]> = { direct: [], 'through the tunnel': [] };
    const back: Record<Way, number[]> = { direct: [], 'through the tunnel': [] };
    const webSockets = await Promise.all(WAYS.map(async (way) => [way, await openWebSocket(way, path)] as const));
    for (let count = 0; count < MESSAGES; count += 1) {
      for (const [way, webSocket] of webSockets) {
        const message = `${way} ${path} ${count}`;
        const echoed = once(webSocket, 'message');
        const sentMs = performance.now();
        webSocket.send(message);
        await echoed;
        const arrivedMs = service.arrivals.get(message)!;
        there[way].push(arrivedMs - sentMs);
        back[way].push(performance.now() - arrivedMs);
      }
    }
    expect(addedMs(there)).toBeLessThan(ADDED_MS);
    expect(addedMs(back)).toBeLessThan(ADDED_MS);
    for (const [, webSocket] of webSockets) webSocket.terminate();
  });
});

describe.each(WAYS)('a WebSocket, %s', (way) => {
  test.each(['/', '/deflate'])('carries messages of any size at %s', async (path) => {
    const webSocket = await openWebSocket(way, path);
    expect(webSocket.extensions).toBe(path === '/deflate' ? 'permessage-deflate' : '');
    for (const bytes of [0, 1, 125, 126, 65_535, 65_536, MiB]) {
      const message = patternBytes(1, 0, bytes);
      const answer = once(webSocket, 'message') as Promise<[RawData, boolean]>;
      webSocket.send(message);
      const [data, isBinary] = await answer;
      expect(isBinary).toBe(true);
      expect(message.equals(data as Buffer)).toBe(true);
    }
    const answer = once(webSocket, 'message') as Promise<[RawData, boolean]>;
    webSocket.send('in two ', { fin: false });
    webSocket.send('parts — not only ASCII', { fin: true });
    expect(((await answer)[0] as Buffer).toString()).toBe('in two parts — not only ASCII');
    webSocket.terminate();
  });

  test('many large messages at once keep their order', async () => {
    const webSocket = await openWebSocket(way);
    let next = 0;
    const all = new Promise<void>((resolve, reject) => {
      webSocket.on('message', (data: Buffer) => {
        if (data.readUInt32BE(0) !== next) reject(new Error(`${data.readUInt32BE(0)} came, not ${next}`));
        next += 1;
        if (next === 16) resolve();
      });
      webSocket.on('close', () => reject(new Error('it was closed')));
    });
    for (let index = 0; index < 16; index += 1) {
      const message = Buffer.from(patternBytes(2, 0, MiB));
      message.writeUInt32BE(index, 0);
      webSocket.send(message);
    }
    await all;
    expect(next).toBe(16);
    webSocket.terminate();
  });

  test('pings are answered with what was in them', async () => {
    const webSocket = await openWebSocket(way);
    const pong = once(webSocket, 'pong') as Promise<[Buffer]>;
    webSocket.ping('are you there?');
    expect(String((await pong)[0])).toBe('are you there?');
    const [atService] = [...service.sockets].slice(-1);
    const pongOfVisitor = once(atService!, 'pong') as Promise<[Buffer]>;
    atService!.ping('and you?');
    expect(String((await pongOfVisitor)[0])).toBe('and you?');
    webSocket.terminate();
  });

  test('the service speaks first', async () => {
    // Its words come together with the answer to the upgrade.
    const webSocket = new WebSocket(`ws://127.0.0.1:${portOf(way)}/speaks-first`, { headers: { Host: TUNNEL_HOST } });
    const [data] = (await once(webSocket, 'message')) as [RawData];
    expect((data as Buffer).toString()).toBe('hello');
    webSocket.terminate();
  });

  test('the protocol is agreed on, and fields of the answer are there', async () => {
    const webSocket = new WebSocket(`ws://127.0.0.1:${portOf(way)}/`, ['first', 'second'], {
      headers: { Host: TUNNEL_HOST },
    });
    const opened = once(webSocket, 'open');
    const [answer] = (await once(webSocket, 'upgrade')) as [IncomingMessage];
    expect(answer.headers['x-of-service']).toBe('yes');
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    await opened;
    expect(webSocket.protocol).toBe('second');
    webSocket.terminate();
  });

  test.each([1000, 1001, 1011, 3000, 4321])('the service closes with %i', async (code) => {
    const webSocket = new WebSocket(`ws://127.0.0.1:${portOf(way)}/close/${code}`, { headers: { Host: TUNNEL_HOST } });
    const [closeCode, reason] = (await once(webSocket, 'close')) as [number, Buffer];
    expect([closeCode, reason.toString()]).toEqual([code, 'as asked']);
  });

  test.each([1000, 3000, 4999])('the visitor closes with %i', async (code) => {
    const webSocket = await openWebSocket(way);
    const before = service.closes.length;
    webSocket.close(code, 'enough');
    const [closeCode] = (await once(webSocket, 'close')) as [number];
    expect(closeCode).toBe(code);
    await service.condition.until('the close', () => service.closes.length > before);
    expect(service.closes.at(-1)).toBe(`${code} enough`);
  });

  test('either side goes away without a word', async () => {
    const left = await openWebSocket(way, '/');
    const before = service.closes.length;
    left.terminate();
    await service.condition.until('the close', () => service.closes.length > before);
    expect(service.closes.at(-1)).toBe('1006 ');
    const webSocket = new WebSocket(`ws://127.0.0.1:${portOf(way)}/terminate`, { headers: { Host: TUNNEL_HOST } });
    webSocket.on('error', () => {});
    const [closeCode] = (await once(webSocket, 'close')) as [number];
    expect(closeCode).toBe(1006);
  });

  test('a service that wants none has its answer passed on', async () => {
    const webSocket = new WebSocket(`ws://127.0.0.1:${portOf(way)}/refused`, { headers: { Host: TUNNEL_HOST } });
    webSocket.on('error', () => {});
    const [, answer] = (await once(webSocket, 'unexpected-response')) as [unknown, IncomingMessage];
    let body = '';
    for await (const part of answer) body += String(part);
    const { statusCode, statusMessage, headers } = answer;
    expect([statusCode, statusMessage, headers['x-why'], body]).toEqual([403, 'Not here', 'because', 'no, not']);
    webSocket.terminate();
  });
});

describe.each(WAYS)('bytes behind an upgrade, %s', (way) => {
  const upgrade = (): Buffer =>
    encodeHead('GET /raw HTTP/1.1', [
      ['Host', TUNNEL_HOST],
      [EXCHANGE_FIELD, '1.0'],
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', '13'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ]);
  const switching = encodeHead('HTTP/1.1 101 Switching Protocols', [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
  ]);

  /** What the service has of the connection. */
  interface Raw {
    socket: Socket | undefined;
    text: string;
    ending: 'end' | 'reset' | undefined;
  }

  interface Upgraded extends AsyncDisposable {
    readonly scene: Scene;
    readonly raw: Raw;
  }

  /** The answer to the upgrade is there. `early`: sent right behind the request, `first`: behind the answer. */
  async function beginUpgraded(early = '', first = ''): Promise<Upgraded> {
    const raw: Raw = { socket: undefined, text: '', ending: undefined };
    const join: Answer = ({ socket, scene, behind }) => {
      raw.socket = socket;
      raw.text = behind().toString('latin1');
      socket.on('data', (data: Buffer) => {
        raw.text += data.toString('latin1');
        scene.changed();
      });
      const end = (ending: 'end' | 'reset'): void => {
        raw.ending ??= ending;
        scene.changed();
      };
      socket.on('end', () => end('end')).on('error', () => end('reset'));
      socket.write(Buffer.concat([switching, latin1(first)]));
      // Its fate is the test's: what answers requests must not end it.
      return new Promise<void>((resolve) => socket.once('close', () => resolve()));
    };
    const scripted = await ScriptedService.start();
    const rawTunnel = way === 'direct' ? undefined : await startHttpTunnel(scripted.port);
    const scene = await Scene.begin((rawTunnel ?? scripted).port, ['GET'], [join]);
    scripted.play(1, scene);
    scene.send(Buffer.concat([upgrade(), latin1(early)]));
    await scene.answersArrive(1);
    const end = async (): Promise<void> => {
      for (const owned of [scene, rawTunnel, scripted]) await owned?.[Symbol.asyncDispose]();
    };
    return { scene, raw, [Symbol.asyncDispose]: end };
  }

  test('are no HTTP, and those that came early are not lost', async () => {
    await using upgraded = await beginUpgraded('early', 'first');
    const { scene, raw } = upgraded;
    await scene.until('the first words', () => scene.rest.toString('latin1') === 'first' && raw.text === 'early');
    scene.send('\x00\xff\x81 GET / HTTP/1.1\r\n');
    await scene.until('the bytes', () => raw.text.endsWith('\n'));
    expect(scene.messages.map(({ startLine }) => startLine)).toEqual(['HTTP/1.1 101 Switching Protocols']);
    expect(raw.text).toBe('early\x00\xff\x81 GET / HTTP/1.1\r\n');
  });

  test('have an end, and an answer after it', async () => {
    await using upgraded = await beginUpgraded();
    const { scene, raw } = upgraded;
    scene.socket.end('last words');
    await scene.until('the end', () => raw.ending !== undefined);
    expect([raw.text, raw.ending]).toEqual(['last words', 'end']);
    raw.socket!.end('so be it');
    await scene.ends();
    expect([scene.rest.toString('latin1'), scene.ending]).toEqual(['so be it', 'end']);
  });

  test('have an end of the service, and go on to it after that', async () => {
    await using upgraded = await beginUpgraded();
    const { scene, raw } = upgraded;
    raw.socket!.end('last words');
    await scene.ends();
    expect([scene.rest.toString('latin1'), scene.ending]).toEqual(['last words', 'end']);
    scene.socket.end('so be it');
    await scene.until('the end', () => raw.ending !== undefined);
    expect([raw.text, raw.ending]).toEqual(['so be it', 'end']);
  });

  test('are reset where the other side is', async () => {
    {
      await using upgraded = await beginUpgraded();
      const { scene, raw } = upgraded;
      scene.socket.resetAndDestroy();
      await scene.until('the reset', () => raw.ending !== undefined);
      expect(raw.ending).toBe('reset');
    }
    {
      await using upgraded = await beginUpgraded();
      const { scene, raw } = upgraded;
      raw.socket!.resetAndDestroy();
      await scene.ends();
      expect(scene.ending).toBe('reset');
    }
  });
});
