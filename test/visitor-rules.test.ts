// Who is let in to a tunnel, and who is not: --allow, --deny, --max-connections.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { decodeAddresses } from '@tunnel/shared';
import { describe, expect, test } from 'vitest';
import { connectByHand, portOf, tunnelRequest } from './support/hand-driven.ts';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';
import { startTunnel } from './support/command.ts';
import { startTunnelProcesses } from './support/tunnel-processes.ts';
import { answerTo, visit } from './support/visitor.ts';

function tunnelTo(port: number): { readonly target: { readonly host: string; readonly port: number } } {
  return { target: { host: '127.0.0.1', port } };
}

/** Visitors come and reset while this thread, and so the server, stands still: each is gone before it is accepted. */
function resetAtOnce(port: number, count: number): void {
  const left = new Int32Array(new SharedArrayBuffer(4)).fill(count);
  const program = `
    const { connect } = require('node:net');
    const { workerData: { port, count, left } } = require('node:worker_threads');
    for (let each = 0; each < count; each += 1) {
      const visitor = connect(port, '127.0.0.1', () => visitor.resetAndDestroy());
      visitor.on('error', () => {});
      visitor.on('close', () => {
        Atomics.sub(left, 0, 1);
        Atomics.notify(left, 0);
      });
    }
  `;
  const worker = new Worker(program, { eval: true, workerData: { port, count, left } });
  for (let now = count; now > 0; now = Atomics.load(left, 0)) {
    if (Atomics.wait(left, 0, now, 10_000) === 'timed-out') throw new Error(`${now} visitors are left`);
  }
  void worker.terminate();
}

describe('networks', () => {
  test('a visitor of an allowed network that resets at once is not told as one that was kept out', async () => {
    await using service = await startEcho();
    await using server = await startServer();
    await using client = await startClient(server.port, [], {
      tunnels: [{ ...tunnelTo(service.port), allow: ['127.0.0.0/8'] }],
    });
    resetAtOnce(client.port, 50);
    // The last of them were accepted before this one was.
    expect(await answerTo(client.port, 'hello')).toBe('hello');
    expect(server.log.all('visitor-refused')).toEqual([]);
    expect(client.log.all('visitors-refused')).toEqual([]);
  });

  test('let in who is allowed and not denied, over IPv4 and IPv6; nothing of the others reaches the client', async () => {
    await using service = await startEcho();
    await using server = await startServer({ tunnelHost: '::' });
    await using client = await startClient(server.port, [], {
      tunnels: [
        {
          ...tunnelTo(service.port),
          name: 'allow',
          allow: ['127.0.0.0/29', '::ffff:127.0.0.64/122'],
          deny: ['127.0.0.3'],
        },
        { ...tunnelTo(service.port), name: 'deny', deny: ['127.0.0.2/32', '::1'] },
        { ...tunnelTo(service.port), name: 'only v6', allow: ['::1/128'] },
      ],
    });
    const [allowing = 0, denying = 0, onlyV6 = 0] = client.ports;
    const hi = (port: number, from: string): Promise<string> =>
      answerTo(port, 'hi', { host: from.includes(':') ? '::1' : '127.0.0.1', from });
    expect(await hi(allowing, '127.0.0.2')).toBe('hi');
    expect(await hi(allowing, '127.0.0.65')).toBe('hi');
    expect(await hi(denying, '127.0.0.3')).toBe('hi');
    expect(await hi(onlyV6, '::1')).toBe('hi');
    expect(service.connectionCount).toBe(4);
    for (const [port, from] of [
      [allowing, '127.0.0.3'],
      [allowing, '127.0.0.8'],
      [allowing, '::1'],
      [denying, '127.0.0.2'],
      [denying, '::1'],
      [onlyV6, '127.0.0.1'],
    ] as const) {
      expect([port, from, await hi(port, from)]).toEqual([port, from, 'ECONNRESET']);
    }
    expect(service.connectionCount).toBe(4);
    expect(server.log.all('visitor-refused').map(({ event: { code, port } }) => [code, port])).toEqual([
      ...Array.from({ length: 3 }, () => ['visitor-denied', allowing]),
      ...Array.from({ length: 2 }, () => ['visitor-denied', denying]),
      ['visitor-denied', onlyV6],
    ]);
    // The first of each tunnel is told at once, the others later.
    const told = (): boolean => client.client.status().tunnels.every(({ refused }) => refused === 1);
    await expect.poll(told).toBe(true);
  });

  test('hold while the client is away and over a resume, and what was refused meanwhile is told on the next link', async () => {
    await using service = await startEcho();
    await using server = await startServer();
    await using relay = await startRelay({ targetPort: server.port });
    await using client = await startClient(relay.port, [], {
      tunnels: [{ ...tunnelTo(service.port), allow: ['127.0.0.1'] }],
    });
    const lost = once(server.server, 'client-disconnected');
    relay.refuse();
    relay.resetAll();
    await lost;
    for (let count = 0; count < 5; count += 1) {
      expect(await answerTo(client.port, 'hi', { from: '127.0.0.2' })).toBe('ECONNRESET');
    }
    const waiting = answerTo(client.port, 'patience');
    relay.refuse(false);
    expect(await waiting).toBe('patience');
    await client.log.waitFor('visitors-refused', ({ denied }) => denied === 5);
    expect(client.client.status().tunnels).toMatchObject([{ refused: 5 }]);
    expect(await answerTo(client.port, 'hi', { from: '127.0.0.2' })).toBe('ECONNRESET');
    expect(service.connectionCount).toBe(1);
  });

  test('come again with the request to a server that was started anew', async () => {
    await using service = await startEcho();
    const first = await startServer();
    await using client = await startClient(first.port, [], {
      tunnels: [{ ...tunnelTo(service.port), deny: ['127.0.0.2'], maxConnections: 1 }],
    });
    const { port } = client;
    expect(await answerTo(port, 'hi', { from: '127.0.0.2' })).toBe('ECONNRESET');
    await client.log.waitFor('visitors-refused');
    const again = client.next('ready');
    first.server.abort();
    await using _second = await startServer({ identity: first.identity, port: first.port });
    expect(await again).toMatchObject({ tunnels: [{ port }], resumed: false });
    expect(await answerTo(port, 'hi', { from: '127.0.0.2' })).toBe('ECONNRESET');
    await using visitor = await visit(port, { from: '127.0.0.3' });
    visitor.socket.write('hello');
    await visitor.waitForBytes(5);
    expect(await answerTo(port, 'hi', { from: '127.0.0.3' })).toBe('ECONNRESET');
    await client.log.waitFor('visitors-refused', ({ denied }) => denied === 2);
  });
});

describe('a limit of visitors', () => {
  test('holds at any time, also over a resume, and a place is free again once its visitor has left', async () => {
    await using service = await startEcho();
    await using server = await startServer();
    await using relay = await startRelay({ targetPort: server.port });
    await using client = await startClient(relay.port, [], {
      tunnels: [{ ...tunnelTo(service.port), maxConnections: 2 }],
    });
    const { port } = client;
    await using stays = await visit(port);
    await using leaves = await visit(port);
    for (const visitor of [stays, leaves]) {
      visitor.socket.write('hello');
      await visitor.waitForBytes(5);
    }
    expect(await answerTo(port, 'hi')).toBe('ECONNRESET');

    const resumed = client.next('ready');
    relay.resetAll();
    expect(await resumed).toMatchObject({ resumed: true });
    expect(await answerTo(port, 'hi')).toBe('ECONNRESET');
    expect(service.connectionCount).toBe(2);

    await leaves[Symbol.asyncDispose]();
    await expect.poll(() => answerTo(port, 'hi')).toBe('hi');
    stays.socket.write('still');
    await stays.waitForBytes(10);
    await client.log.waitFor('visitors-refused', ({ overLimit, denied }) => overLimit >= 1 && denied === 0);
  });

  test('counts visitors who wait for a link', async () => {
    await using service = await startEcho();
    await using server = await startServer();
    await using relay = await startRelay({ targetPort: server.port });
    await using client = await startClient(relay.port, [], {
      tunnels: [{ ...tunnelTo(service.port), maxConnections: 1 }],
    });
    const lost = once(server.server, 'client-disconnected');
    relay.refuse();
    relay.resetAll();
    await lost;
    await using waiting = await visit(client.port);
    waiting.socket.write('patience');
    expect(await answerTo(client.port, 'hi')).toBe('ECONNRESET');
    relay.refuse(false);
    await waiting.waitForBytes(8);
  });

  test('is one for each tunnel, and refused visitors cost the link next to nothing', async () => {
    await using service = await startEcho();
    await using server = await startServer();
    await using relay = await startRelay({ targetPort: server.port });
    await using client = await startClient(relay.port, [], {
      tunnels: [
        { ...tunnelTo(service.port), name: 'one', maxConnections: 1 },
        { ...tunnelTo(service.port), name: 'another', maxConnections: 1 },
      ],
    });
    const [one = 0, another = 0] = client.ports;
    await using visitor = await visit(one);
    visitor.socket.write('hello');
    await visitor.waitForBytes(5);
    expect(await answerTo(another, 'hi')).toBe('hi');
    const bytesBefore = relay.forwardedBytes('to-client');
    for (let count = 0; count < 300; count += 1) expect(await answerTo(one, 'hi')).toBe('ECONNRESET');
    await client.log.waitFor('visitors-refused');
    // One line about the first of them, and heartbeats.
    expect(relay.forwardedBytes('to-client') - bytesBefore).toBeLessThan(2_000);
    expect(service.connectionCount).toBe(2);
  });
});

describe('on the command line', () => {
  test('the rules hold, and what they keep out is in the log, in the status and in the events, in few lines', async () => {
    await using service = await startEcho();
    await using tunnel = await startTunnelProcesses(
      service.port,
      [],
      ['--allow', '127.0.0.0/30,::1', '--allow=127.0.0.8', '--deny', '127.0.0.2', '--max-connections', '1'],
    );
    const { port } = tunnel;
    for (let count = 0; count < 50; count += 1) {
      expect(await answerTo(port, 'hi', { from: '127.0.0.2' })).toBe('ECONNRESET');
    }
    const told = await tunnel.client.waitForEvent('visitors-refused');
    expect(told).toMatchObject({ target: `127.0.0.1:${service.port}`, denied: 1, overLimit: 0 });
    await using status = await startTunnel(['status', '--json'], { home: tunnel.client.home });
    expect((await status.exit).code).toBe(0);
    const [report] = JSON.parse(status.stdout) as readonly [
      { readonly tunnels: readonly [{ readonly refused: number }] },
    ];
    expect(report.tunnels[0].refused).toBeGreaterThan(0);
    for (const [process, pattern] of [
      [tunnel.server, /visitor turned away/g],
      [tunnel.client, /visitors kept out/g],
    ] as const) {
      // One at once; a sum follows after ten seconds.
      expect(process.stderr.match(pattern)?.length).toBeLessThanOrEqual(2);
      await process.waitForStderr(pattern);
    }
    const visitor = await visit(port, { from: '127.0.0.8' });
    visitor.socket.write('hello');
    await visitor.waitForBytes(5);
    expect(await answerTo(port, 'hi')).toBe('ECONNRESET');
    await visitor[Symbol.asyncDispose]();
    await expect.poll(() => answerTo(port, 'hi')).toBe('hi');
  });
});

describe('a server', () => {
  test('refuses a tunnel with rules that it does not understand, and goes on', async () => {
    await using server = await startServer();
    await using link = await connectByHand(server.port);
    link.send(
      tunnelRequest(1, { label: 'later', terms: [{ term: 'unknown', type: 77, value: Uint8Array.of(1) }] }),
      tunnelRequest(2, { label: 'typo', terms: [{ term: 'deny', network: '10.0.0.0/33' }] }),
      tunnelRequest(3, { label: 'good', terms: [{ term: 'deny', network: '127.0.0.1' }] }),
    );
    expect(await link.waitFor('tunnel-refused', ({ tunnelId }) => tunnelId === 1)).toMatchObject({
      code: 'terms-refused',
      detail: 'this server does not know terms of type 77',
    });
    expect(await link.waitFor('tunnel-refused', ({ tunnelId }) => tunnelId === 2)).toMatchObject({
      code: 'terms-refused',
      detail: '10.0.0.0/33 is not a valid network',
    });
    const port = portOf(await link.waitFor('tunnel-granted', ({ tunnelId }) => tunnelId === 3));
    expect(await answerTo(port, 'hi')).toBe('ECONNRESET');
    // Other rules for the same tunnel hold from then on; none let everybody in.
    link.send(tunnelRequest(3, { label: 'good' }));
    const grants = (): number => link.frames.filter((frame) => frame.type === 'tunnel-granted').length;
    await expect.poll(grants).toBe(2);
    await using _visitor = await visit(port);
    const { tunnelId, attributes } = await link.waitFor('open');
    expect(tunnelId).toBe(3);
    expect(decodeAddresses(attributes)).toMatchObject({
      visitor: { address: '127.0.0.1' },
      destination: { address: '127.0.0.1', port },
    });
    expect(link.frames.filter(({ type }) => type === 'visitors-refused')).toEqual([
      { type: 'visitors-refused', tunnelId: 3, denied: 1, overLimit: 0 },
    ]);
  });
});
