// TCP keepalive on every socket of the product, as the kernel sees it.
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseProxyAddress, parseServerAddress } from '@tunnel/client';
import { certificateFiles, readCertificates } from './support/certificates.ts';
import { startClient, startServer } from './support/pair.ts';
import { requirePrograms } from './support/program.ts';
import { startProxyProgram } from './support/proxy-programs.ts';
import { startEcho } from './support/services.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { visit } from './support/visitor.ts';

const TABLE = '/proc/net/tcp';
const ESTABLISHED = '01';
/** proc_net_tcp(5), "tr": which timer runs; 2 is keepalive. */
const KEEPALIVE_TIMER = '02';

interface Entry {
  readonly localPort: number;
  readonly remotePort: number;
  readonly timer: string;
}

function establishedConnections(): readonly Entry[] {
  return readFileSync(TABLE, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === ESTABLISHED)
    .map((fields) => ({
      localPort: portOf(fields[1]),
      remotePort: portOf(fields[2]),
      timer: (fields[5] ?? '').split(':')[0] ?? '',
    }));
}

function portOf(address = ''): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16);
}

test.runIf(existsSync(TABLE))('is on for links, visitors and services, on both sides', async () => {
  await using service = await startEcho();
  await using server = await startServer({ tunnelHost: '127.0.0.1' });
  await using client = await startClient(server.port, [service.port]);
  const publicPort = client.ports[0]!;
  await using visitor = await visit(publicPort);
  visitor.socket.write('x');
  await visitor.waitForBytes(1);
  // While something is on its way the retransmission timer runs instead.
  const timers = (isOurs: (entry: Entry) => boolean): string[] =>
    establishedConnections()
      .filter(isOurs)
      .map(({ timer }) => timer);
  const linkEnds = (): string[] => timers((entry) => [entry.localPort, entry.remotePort].includes(server.port));
  await expect.poll(linkEnds).toEqual([KEEPALIVE_TIMER, KEEPALIVE_TIMER]);
  await expect.poll(() => timers((entry) => entry.localPort === publicPort)).toEqual([KEEPALIVE_TIMER]);
  await expect.poll(() => timers((entry) => entry.remotePort === service.port)).toEqual([KEEPALIVE_TIMER]);
});

test.runIf(existsSync(TABLE))('is on for links with TLS, and to a proxy', async (context) => {
  requirePrograms(context, 'microsocks');
  await using directory = await temporaryDirectory();
  await using server = await startServer({ tls: await certificateFiles(directory.path) });
  await using socks = await startProxyProgram('microsocks', (port) => ['-i', '127.0.0.1', '-p', String(port)]);
  await using _client = await startClient(server.port, [9], {
    server: parseServerAddress(`wss://localhost:${server.port}`),
    ca: readCertificates().get('TEST_AUTHORITY'),
    proxy: parseProxyAddress(`socks5h://127.0.0.1:${socks.port}`),
  });
  const timers = (isOurs: (entry: Entry) => boolean): string[] =>
    establishedConnections()
      .filter(isOurs)
      .map(({ timer }) => timer);
  await expect.poll(() => timers((entry) => entry.remotePort === socks.port)).toEqual([KEEPALIVE_TIMER]);
  await expect.poll(() => timers((entry) => entry.localPort === server.port)).toEqual([KEEPALIVE_TIMER]);
});
