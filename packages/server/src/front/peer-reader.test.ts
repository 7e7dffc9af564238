import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Peer } from './peer.ts';
import { PeerReader } from './peer-reader.ts';

const LOAD_BALANCER = '10.0.0.9';
const HEADER = 'PROXY TCP4 203.0.113.7 192.0.2.1 51000 443\r\n';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

class FakeSocket extends Duplex {
  readonly remoteAddress: string;
  readonly remotePort = 4;
  readonly localAddress = '192.0.2.9';

  constructor(remoteAddress: string) {
    super({ allowHalfOpen: true });
    this.remoteAddress = remoteAddress;
  }

  override _read(): void {}
}

interface Outcome {
  readonly socket: FakeSocket;
  readonly peers: Peer[];
  readonly reasons: string[];
}

function read(reader: PeerReader, remoteAddress = LOAD_BALANCER): Outcome {
  const socket = new FakeSocket(remoteAddress);
  const peers: Peer[] = [];
  const reasons: string[] = [];
  reader.read(socket as unknown as Socket, {
    onPeer: (peer) => peers.push(peer),
    onUnusable: (reason) => reasons.push(reason),
  });
  return { socket, peers, reasons };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

const reader = new PeerReader(['10.0.0.0/8']);

test('from elsewhere no header is looked for, at once', () => {
  const { socket, peers } = read(reader, '203.0.113.9');
  expect(peers).toEqual([{ address: '203.0.113.9', port: 4, destination: '192.0.2.9' }]);
  expect(socket.eventNames()).toEqual(new FakeSocket('x').eventNames());
});

test('what follows the header is left to be read, in whatever pieces it comes', async () => {
  const whole = `${HEADER}and what follows`;
  for (let cut = 1; cut < whole.length; cut += 1) {
    const { socket, peers } = read(reader);
    socket.push(whole.slice(0, cut));
    await settled();
    socket.push(whole.slice(cut));
    socket.push(null);
    await settled();
    expect(peers).toEqual([{ address: '203.0.113.7', port: 51_000, destination: '192.0.2.1' }]);
    let rest = '';
    socket.on('data', (chunk) => (rest += String(chunk)));
    await settled();
    expect(rest).toBe('and what follows');
    expect(socket.readableEnded).toBe(true);
  }
});

test('a connection that is about nobody else is the load balancer itself', async () => {
  const { socket, peers } = read(reader);
  socket.push('PROXY UNKNOWN\r\n');
  await settled();
  expect(peers).toEqual([{ address: LOAD_BALANCER, port: 4, destination: '192.0.2.9' }]);
});

test('a header that is none, ends too soon or does not come in time ends the connection', async () => {
  const none = read(reader);
  none.socket.push('GET / HTTP/1.1\r\n');
  const short = read(reader);
  short.socket.push('PROXY TCP4');
  short.socket.push(null);
  const late = read(reader);
  late.socket.push('PROXY TCP4');
  await settled();
  expect(late.reasons).toEqual([]);
  vi.advanceTimersByTime(5_000);
  await settled();
  expect([none, short, late].flatMap(({ reasons }) => reasons)).toEqual([
    'it begins with something else',
    'it ended before its header did',
    'it did not come in time',
  ]);
  expect([none, short, late].every(({ socket, peers }) => socket.destroyed && peers.length === 0)).toBe(true);
});

test('of a health check that connects and leaves nothing is told', async () => {
  const { socket, peers, reasons } = read(reader);
  socket.push(null);
  await settled();
  expect([socket.destroyed, peers, reasons]).toEqual([true, [], []]);
  expect(vi.getTimerCount()).toBe(0);
});

test('so many wait for their header at most: the oldest goes', async () => {
  const crowded = new PeerReader(['10.0.0.0/8']);
  const first = read(crowded);
  for (let count = 0; count < 4095; count += 1) read(crowded);
  expect(first.socket.destroyed).toBe(false);
  read(crowded);
  await settled();
  expect(first.socket.destroyed).toBe(true);
});
