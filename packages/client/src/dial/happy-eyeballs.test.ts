import { EventEmitter, once } from 'node:events';
import { Socket, connect as netConnect } from 'node:net';

import { TunnelError } from '@tunnel/shared';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { connectToFirst, interleaveFamilies, lookUpAddresses } from './happy-eyeballs.ts';
import type { IpAddress } from './name-lookups.ts';
import { closeOf, failureOf, listenRaw, refusedPort } from './loopback.fixture.ts';

const v6 = (address: string): IpAddress => ({ address, family: 6 });
const v4 = (address: string): IpAddress => ({ address, family: 4 });
const { signal } = new AbortController();

describe('the addresses of a name', () => {
  test('families take turns, IPv6 first, duplicates once', () => {
    expect(interleaveFamilies([v4('1'), v4('2'), v4('3'), v6('a'), v4('1'), v6('b')])).toEqual([
      v6('a'),
      v4('1'),
      v6('b'),
      v4('2'),
      v4('3'),
    ]);
  });

  test('are looked up anew every time', async () => {
    let count = 0;
    const lookup = async (host: string): Promise<IpAddress[]> => {
      count += 1;
      return [v4(`${host}#${count}`)];
    };
    expect(await lookUpAddresses('host', { signal, lookup })).toEqual([v4('host#1')]);
    expect(await lookUpAddresses('host', { signal, lookup })).toEqual([v4('host#2')]);
  });

  test('are not looked up where the host is one', async () => {
    const lookup = (): Promise<never> => Promise.reject(new Error('looked up'));
    expect(await lookUpAddresses('192.0.2.1', { signal, lookup })).toEqual([v4('192.0.2.1')]);
    expect(await lookUpAddresses('fe80::1%eth0', { signal, lookup })).toEqual([v6('fe80::1%eth0')]);
  });

  test('come from no resolver for this machine', async () => {
    const lookup = (): Promise<never> => Promise.reject(new Error('looked up'));
    expect(await lookUpAddresses('localhost', { signal, lookup })).toEqual([v6('::1'), v4('127.0.0.1')]);
  });

  test('are bounded', async () => {
    const lookup = async (): Promise<IpAddress[]> => Array.from({ length: 500 }, (_, index) => v4(`${index}`));
    expect(await lookUpAddresses('host', { signal, lookup })).toHaveLength(16);
  });

  test('that do not exist are an error with name and code', async () => {
    const cause = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' });
    const error = await failureOf(lookUpAddresses('example.invalid', { signal, lookup: () => Promise.reject(cause) }));
    expect(error).toMatchObject({
      code: 'dns-failed',
      detail: 'example.invalid, no such host name (ENOTFOUND)',
      cause,
    });
    const none = await failureOf(lookUpAddresses('example.com', { signal, lookup: async () => [] }));
    expect(none).toMatchObject({ code: 'dns-failed', detail: 'example.com has no address' });
  });

  test('are not waited for after an abort', async () => {
    const controller = new AbortController();
    const looking = lookUpAddresses('host', { signal: controller.signal, lookup: () => new Promise(() => {}) });
    controller.abort(new TunnelError('stopped'));
    expect((await failureOf(looking)).code).toBe('stopped');
    expect((await failureOf(lookUpAddresses('192.0.2.1', { signal: controller.signal }))).code).toBe('stopped');
  });
});

/** Sockets that connect or fail on the test's command. */
class FakeNetwork {
  readonly sockets = new Map<string, Socket>();

  readonly connect = ({ address }: IpAddress): Socket => {
    const socket = new Socket();
    this.sockets.set(address, socket);
    return socket;
  };

  get tried(): string[] {
    return [...this.sockets.keys()];
  }

  get(address: string): Socket {
    const socket = this.sockets.get(address);
    if (socket === undefined) throw new Error(`${address} was not tried`);
    return socket;
  }

  async fail(address: string, code: string): Promise<void> {
    const socket = this.get(address);
    socket.destroy(Object.assign(new Error(code), { code }));
    await closeOf(socket);
  }
}

describe('attempts', () => {
  const addresses = [v6('::1'), v4('192.0.2.1'), v6('::2'), v4('192.0.2.2')];

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    const count = vi.getTimerCount();
    vi.useRealTimers();
    if (count > 0) throw new Error(`${count} timers are left`);
  });

  test('start 250 ms apart, none is given up, the first that connects wins', async () => {
    const network = new FakeNetwork();
    const connecting = connectToFirst(addresses, 80, { signal, connect: network.connect });
    expect(network.tried).toEqual(['::1']);
    vi.advanceTimersByTime(249);
    expect(network.tried).toEqual(['::1']);
    vi.advanceTimersByTime(1);
    expect(network.tried).toEqual(['::1', '192.0.2.1']);
    vi.advanceTimersByTime(250);
    expect(network.tried).toEqual(['::1', '192.0.2.1', '::2']);
    expect([...network.sockets.values()].some(({ destroyed }) => destroyed)).toBe(false);

    network.get('192.0.2.1').emit('connect');
    expect(await connecting).toBe(network.get('192.0.2.1'));
    expect(network.get('192.0.2.1').destroyed).toBe(false);
    expect(network.get('::1').destroyed).toBe(true);
    expect(network.get('::2').destroyed).toBe(true);
    network.get('192.0.2.1').destroy();
  });

  test('a failed one starts the next at once, and the clock anew', async () => {
    const network = new FakeNetwork();
    const connecting = connectToFirst(addresses, 80, { signal, connect: network.connect });
    vi.advanceTimersByTime(200);
    await network.fail('::1', 'ENETUNREACH');
    expect(network.tried).toEqual(['::1', '192.0.2.1']);
    vi.advanceTimersByTime(249);
    expect(network.tried).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(network.tried).toHaveLength(3);
    network.get('::2').emit('connect');
    (await connecting).destroy();
  });

  test('the last one may still connect after all others have failed', async () => {
    const network = new FakeNetwork();
    const connecting = connectToFirst(addresses.slice(0, 2), 80, { signal, connect: network.connect });
    vi.advanceTimersByTime(250);
    await network.fail('192.0.2.1', 'ECONNREFUSED');
    vi.advanceTimersByTime(60_000);
    network.get('::1').emit('connect');
    expect(await connecting).toBe(network.get('::1'));
    network.get('::1').destroy();
  });

  test.each([
    ['tcp-refused', ['ECONNREFUSED', 'ECONNREFUSED']],
    ['tcp-refused', ['ENETUNREACH', 'ECONNREFUSED']],
    ['tcp-timeout', ['ETIMEDOUT', 'ETIMEDOUT']],
    ['tcp-timeout', ['EADDRNOTAVAIL', 'ETIMEDOUT']],
    ['tcp-unreachable', ['ENETUNREACH', 'EHOSTUNREACH']],
    ['tcp-failed', ['ETIMEDOUT', 'ECONNREFUSED']],
    ['tcp-failed', ['EACCES', 'EACCES']],
  ])('%s from %j', async (code, [first = '', second = '']) => {
    const network = new FakeNetwork();
    const failure = failureOf(connectToFirst(addresses.slice(0, 2), 80, { signal, connect: network.connect }));
    await network.fail('::1', first);
    await network.fail('192.0.2.1', second);
    expect(await failure).toMatchObject({
      code,
      detail: expect.stringMatching(
        new RegExp(String.raw`^\[::1\]:80 \(.*\b${first}\), 192\.0\.2\.1:80 \(.*\b${second}\)$`),
      ) as string,
      cause: { errors: [{ code: first }, { code: second }] },
    });
  });

  test.each([
    ['EMFILE', 'open-files-limit'],
    ['EPERM', 'outgoing-firewall'],
  ])('%s has a hint of its own', async (errno, id) => {
    const network = new FakeNetwork();
    const failure = failureOf(connectToFirst([v4('192.0.2.1')], 80, { signal, connect: network.connect }));
    await network.fail('192.0.2.1', errno);
    expect(await failure).toMatchObject({ code: 'tcp-failed', hint: { id } });
  });

  test('all end with an abort', async () => {
    const network = new FakeNetwork();
    const controller = new AbortController();
    const connecting = connectToFirst(addresses, 80, { signal: controller.signal, connect: network.connect });
    vi.advanceTimersByTime(250);
    controller.abort(new TunnelError('stopped'));
    expect((await failureOf(connecting)).code).toBe('stopped');
    expect([...network.sockets.values()].map(({ destroyed }) => destroyed)).toEqual([true, true]);
  });

  test('that end with the deadline of the attempt are a timeout that says what was tried', async () => {
    const network = new FakeNetwork();
    const controller = new AbortController();
    const connecting = connectToFirst(addresses.slice(0, 2), 80, {
      signal: controller.signal,
      connect: network.connect,
    });
    await network.fail('::1', 'ENETUNREACH');
    controller.abort(new TunnelError('attempt-timeout'));
    expect(await failureOf(connecting)).toMatchObject({
      code: 'tcp-timeout',
      detail: '192.0.2.1:80, [::1]:80 (the network is unreachable, ENETUNREACH)',
    });
  });

  test('warn of a keepalive that cannot be set', async () => {
    const cause = new Error('not here');
    const warnings: unknown[] = [];
    const network = new FakeNetwork();
    const connecting = connectToFirst([v4('192.0.2.1')], 80, {
      signal,
      connect: network.connect,
      onWarning: (warning) => warnings.push(warning),
    });
    vi.spyOn(network.get('192.0.2.1'), 'setKeepAlive').mockImplementation(() => {
      throw cause;
    });
    network.get('192.0.2.1').emit('connect');
    (await connecting).destroy();
    expect(warnings).toEqual([{ message: 'TCP keepalive could not be set', cause }]);
  });
});

describe('on real sockets', () => {
  test('connects past an address that refuses, with the options set', async () => {
    const port = await listenRaw(() => {});
    const keepAlive = vi.spyOn(Socket.prototype, 'setKeepAlive');
    const noDelay = vi.spyOn(Socket.prototype, 'setNoDelay');
    const refused = await refusedPort();
    const socket = await connectToFirst([v4('127.0.0.2'), v4('127.0.0.1')], port, {
      signal,
      // 127.0.0.2 does not exist everywhere.
      connect: ({ address, family }) =>
        netConnect({ host: '127.0.0.1', port: address === '127.0.0.2' ? refused : port, family }),
    });
    expect(socket.remotePort).toBe(port);
    expect(keepAlive).toHaveBeenCalledWith(true, 15_000);
    expect(noDelay).toHaveBeenCalledWith(true);
    socket.destroy();
    await closeOf(socket);
    vi.restoreAllMocks();
  });

  test('names address, port and cause of a refusal', async () => {
    const port = await refusedPort();
    const error = await failureOf(connectToFirst([v4('127.0.0.1')], port, { signal }));
    expect(error).toMatchObject({
      code: 'tcp-refused',
      message: `connection refused: 127.0.0.1:${port} (ECONNREFUSED)`,
      cause: { code: 'ECONNREFUSED' },
    });
  });

  test('a reset after the connection was handed over ends no process', async () => {
    const connections = new EventEmitter();
    const connection = once(connections, 'connection');
    const port = await listenRaw((socket) => connections.emit('connection', socket));
    const socket = await connectToFirst([v4('127.0.0.1')], port, { signal });
    const [serverSide] = (await connection) as [Socket];
    const closed = closeOf(socket);
    socket.resume();
    serverSide.resetAndDestroy();
    await closed;
    expect(socket.destroyed).toBe(true);
  });
});
