// Clients that are admitted by their keys: who gets in, what each may have, and what a change of the file does.
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprint, generateIdentity, encodeKey, decodeKey, formatIdentity } from '@tunnel/shared/node';
import { describe, expect, test } from 'vitest';
import { startTunnel, type TunnelProcess } from './support/command.ts';
import { namedBlocks, readDocument } from './support/documents.ts';
import { TEST_SECRET } from './support/pair.ts';
import { startEcho } from './support/services.ts';
import { TcpService } from './support/tcp-service.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { publicPortOf } from './support/tunnel-processes.ts';
import { visit } from './support/visitor.ts';

const SECRET = { TUNNEL_SECRET: TEST_SECRET };
const WRONG_SECRET = { TUNNEL_SECRET: 'another secret than that one' };

/** A client's key pair. */
interface Key {
  readonly name: string;
  readonly file: string;
  readonly publicKey: string;
}

/** Processes and files of one test, in a directory of their own. */
class Place implements AsyncDisposable {
  readonly #directory: string;
  readonly #owned: AsyncDisposable[];
  readonly keysFile: string;
  serverKey = '';
  controlPort = 0;

  private constructor(directory: AsyncDisposable & { readonly path: string }) {
    this.#directory = directory.path;
    this.#owned = [directory];
    this.keysFile = this.file('keys');
  }

  static async create(): Promise<Place> {
    return new Place(await temporaryDirectory());
  }

  file(name: string): string {
    return join(this.#directory, name);
  }

  own<Thing extends AsyncDisposable>(thing: Thing): Thing {
    this.#owned.push(thing);
    return thing;
  }

  async key(name: string): Promise<Key> {
    const identity = generateIdentity();
    const file = this.file(name);
    await writeFile(file, formatIdentity(identity), { mode: 0o600 });
    return { name, file, publicKey: encodeKey(identity.publicKey) };
  }

  /** Puts another file in the place of the keys, as editors do. */
  async list(...lines: readonly string[]): Promise<void> {
    const next = this.file('keys.next');
    await writeFile(next, `${lines.join('\n')}\n`);
    await rename(next, this.keysFile);
  }

  async server(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<TunnelProcess> {
    const words = ['--host', '127.0.0.1', '--port', '0', '--authorized-keys', this.keysFile, '--output', 'json'];
    const server = this.own(await startTunnel(['server', ...words, ...args], { env }));
    const { port, serverKey } = await server.waitForEvent('listening');
    this.controlPort = Number(port);
    this.serverKey = String(serverKey);
    return server;
  }

  async client(
    { file }: Key,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
    targets: readonly string[] = ['127.0.0.1:9'],
  ): Promise<TunnelProcess> {
    const to = ['--to', `127.0.0.1:${this.controlPort}`, `--server-key=${this.serverKey}`];
    const words = [...to, '--identity', file, '--max-reconnect-delay', '200ms', '--output', 'json'];
    return this.own(await startTunnel(['local', ...targets, ...words, ...args], { env }));
  }

  /** A client that gets in. Resolves with its first public port. */
  async comesIn(...given: Parameters<Place['client']>): Promise<number> {
    const client = await this.client(...given);
    return publicPortOf(await client.waitForEvent('ready'));
  }

  /** A client that does not. Resolves with its last words. */
  async isRefused(...given: Parameters<Place['client']>): Promise<Record<string, unknown>> {
    const client = await this.client(...given);
    await client.waitForExit();
    const [last, ...others] = client.events;
    if (last?.event !== 'stopped' || others.length > 0) throw new Error(`it got in: ${client.stdout}`);
    return last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const thing of this.#owned.toReversed()) await thing[Symbol.asyncDispose]();
  }
}

/** Ports that nobody listens on just now, below those that this machine takes for connections of its own. */
async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  for (let port = 20_000 + Math.floor(Math.random() * 10_000); ports.length < count; port += 1) {
    try {
      const probe = await TcpService.listen({ port }, () => {});
      await probe[Symbol.asyncDispose]();
      ports.push(port);
    } catch {
      ports.length = 0; // They are to follow one another.
    }
  }
  return ports;
}

describe('who gets in', { timeout: 120_000 }, () => {
  test('with keys only, a client without any secret; another one is told which line is missing', async () => {
    await using place = await Place.create();
    const [laptop, stranger] = [await place.key('laptop'), await place.key('stranger')];
    await place.list(`${laptop.publicKey} laptop of anna`);
    const server = await place.server();
    await place.comesIn(laptop);
    const connected = await server.waitForEvent('client-connected');
    expect(connected).toMatchObject({ clientKey: laptop.publicKey, comment: 'laptop of anna' });
    expect(server.stderr).toContain('laptop of anna');

    expect(await place.isRefused(stranger)).toMatchObject({
      code: 'key-refused',
      exitCode: 3,
      hint: `ask the server's admin to add this line to its authorized keys: ${stranger.publicKey}`,
    });
    expect(await server.waitForEvent('client-refused')).toMatchObject({
      code: 'key-refused',
      clientKey: stranger.publicKey,
    });
    const short = fingerprint(decodeKey(stranger.publicKey, 'key'));
    await server.waitForStderr(new RegExp(`client refused.*${short}|${short}.*client refused`));
    expect(server.stderr).not.toContain(stranger.publicKey);
    // No second way in was made.
    await expect(readFile(join(server.home, '.local/state/tunnel/server/secret'))).rejects.toThrow('ENOENT');
  });

  test('with keys and a secret, either', async () => {
    await using place = await Place.create();
    const [laptop, stranger] = [await place.key('laptop'), await place.key('stranger')];
    await place.list(laptop.publicKey);
    await place.server([], SECRET);
    await place.comesIn(laptop);
    await place.comesIn(stranger, [], SECRET);
    const [wrongKey, wrongSecret] = [await place.isRefused(stranger), await place.isRefused(laptop, [], WRONG_SECRET)];
    expect(wrongKey).toMatchObject({ code: 'key-refused', exitCode: 3 });
    expect(wrongSecret).toMatchObject({ code: 'key-refused', exitCode: 3, reason: wrongKey['reason'] });
  });

  test('with --require secret, the secret alone', async () => {
    await using place = await Place.create();
    const laptop = await place.key('laptop');
    await place.list(laptop.publicKey);
    await place.server(['--require', 'secret'], SECRET);
    expect(await place.isRefused(laptop)).toMatchObject({ code: 'secret-refused', exitCode: 3 });
    await place.comesIn(laptop, [], SECRET);
  });

  test('with --require both, only both; and what is wrong is not told', async () => {
    await using place = await Place.create();
    const [laptop, stranger] = [await place.key('laptop'), await place.key('stranger')];
    await place.list(laptop.publicKey);
    await place.server(['--require', 'both'], SECRET);
    await place.comesIn(laptop, [], SECRET);
    const refusals = [
      await place.isRefused(laptop, [], WRONG_SECRET),
      await place.isRefused(stranger, [], SECRET),
      await place.isRefused(stranger, [], WRONG_SECRET),
    ];
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ code: 'key-refused', exitCode: 3, reason: refusals[0]?.['reason'] });
    }
  });

  test('on the same machine, whose key is listed needs nothing else', async () => {
    await using place = await Place.create();
    const laptop = await place.key('laptop');
    await place.list(laptop.publicKey);
    const server = await place.server();
    const words = ['local', '127.0.0.1:9', '--identity', laptop.file, '--output', 'json'];
    const client = place.own(await startTunnel(words, { home: server.home }));
    expect(await client.waitForEvent('ready')).toMatchObject({ resumed: false });
  });

  test('of thousands of keys, the last one', async () => {
    await using place = await Place.create();
    const laptop = await place.key('laptop');
    const others = Array.from({ length: 5_000 }, (_, index) => `${encodeKey(generateIdentity().publicKey)} ${index}`);
    await place.list(...others, laptop.publicKey);
    await place.server();
    expect(await place.comesIn(laptop)).toBeGreaterThan(0);
  });
});

describe('what a key may have', { timeout: 120_000 }, () => {
  test('its ports, and one of them where it asks for any', async () => {
    await using place = await Place.create();
    const laptop = await place.key('laptop');
    const [first = 0, second = 0, third = 0, fourth = 0] = await freePorts(4);
    await place.list(`ports="${first}-${second},${fourth}" ${laptop.publicKey}`);
    await place.server();
    expect(await place.isRefused(laptop, ['--port', String(third)])).toMatchObject({
      code: 'port-not-allowed',
      exitCode: 5,
      reason: expect.stringContaining(`${third}; this key may have ${first}-${second}, ${fourth}`) as string,
    });
    expect(await place.comesIn(laptop, ['--port', String(fourth)])).toBe(fourth);
    const any = await place.client(laptop, [], {}, ['127.0.0.1:1', '127.0.0.1:2']);
    const { tunnels } = await any.waitForEvent('ready');
    const given = (tunnels as { readonly port: number }[]).map(({ port }) => port);
    expect(given.toSorted((a, b) => a - b)).toEqual([first, second]);
    // Nothing is left: it waits.
    const late = await place.client(laptop);
    expect(await late.waitForEvent('retrying')).toMatchObject({
      code: 'port-unavailable',
      reason: expect.stringContaining(`${first}-${second}, ${fourth}`) as string,
    });
  });

  test('so many tunnels, over all its processes; one that is gone makes room', async () => {
    await using place = await Place.create();
    const laptop = await place.key('laptop');
    await place.list(`tunnels=2 ${laptop.publicKey}`);
    await place.server();
    const three = await place.client(laptop, [], {}, ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3']);
    expect(await three.waitForExit()).toMatchObject({ code: 5 });
    expect(three.events.at(-1)).toMatchObject({
      code: 'tunnel-limit',
      reason: expect.stringContaining('this key may have 2 at a time') as string,
    });

    const one = await place.client(laptop);
    await one.waitForEvent('ready');
    await place.comesIn(laptop, [], {}, ['127.0.0.1:2']);
    const late = await place.client(laptop, [], {}, ['127.0.0.1:3']);
    expect(await late.waitForExit()).toMatchObject({ code: 5 });
    one.kill('SIGKILL');
    await one.exit;
    // Its session is kept for two minutes, and its place is not.
    await place.comesIn(laptop, [], {}, ['127.0.0.1:3']);
  });

  test('a reserved port: nobody else gets it, the owner also where he asks for any', async () => {
    await using place = await Place.create();
    const [owner, other] = [await place.key('owner'), await place.key('other')];
    const [reserved = 0, free = 0] = await freePorts(2);
    await place.list(`reserve=${reserved} ${owner.publicKey}`, other.publicKey);
    await place.server(['--min-port', String(reserved), '--max-port', String(free)]);
    expect(await place.isRefused(other, ['--port', String(reserved)])).toMatchObject({
      code: 'port-not-allowed',
      reason: expect.stringContaining(`${reserved} is reserved for another client`) as string,
    });
    expect(await place.comesIn(other)).toBe(free);
    const late = await place.client(other);
    expect(await late.waitForEvent('retrying')).toMatchObject({ code: 'port-unavailable' });
    const first = await place.client(owner, ['--state-dir', place.file('first')]);
    expect(publicPortOf(await first.waitForEvent('ready'))).toBe(reserved);
    first.kill('SIGKILL');
    await first.exit;
    // A process that remembers nothing gets it, though the session of the other one is kept.
    expect(await place.comesIn(owner, ['--state-dir', place.file('second')])).toBe(reserved);
  });
});

describe('a change of the file', { timeout: 120_000 }, () => {
  test('that takes a key out ends its session and its visitors within seconds, and no other', async () => {
    await using place = await Place.create();
    const [laptop, other] = [await place.key('laptop'), await place.key('other')];
    const echo = place.own(await startEcho());
    await place.list(laptop.publicKey, other.publicKey);
    const server = await place.server();
    const target = [`127.0.0.1:${echo.port}`];
    const client = await place.client(laptop, [], {}, target);
    const port = publicPortOf(await client.waitForEvent('ready'));
    const otherPort = await place.comesIn(other, [], {}, target);
    const [visitor, otherVisitor] = [place.own(await visit(port)), place.own(await visit(otherPort))];
    for (const each of [visitor, otherVisitor]) {
      each.socket.write('hello');
      await each.waitForBytes(5);
    }
    await place.list(`# ${laptop.publicKey}`, other.publicKey);
    await visitor.waitForEnding();
    expect(visitor.ending).toBe('ECONNRESET');
    expect(await client.waitForExit()).toMatchObject({ code: 3 });
    expect(client.events.at(-1)).toMatchObject({
      event: 'stopped',
      code: 'key-refused',
      hint: expect.stringContaining(laptop.publicKey) as string,
    });
    expect(await server.waitForEvent('keys-changed')).toMatchObject({ count: 1 });
    expect(await place.isRefused(laptop)).toMatchObject({ code: 'key-refused', exitCode: 3 });

    otherVisitor.socket.write('still here');
    await otherVisitor.waitForBytes(15);
    await place.list(laptop.publicKey, other.publicKey);
    await server.waitForEvent('keys-changed', ({ count }) => count === 2);
    await place.comesIn(laptop, [], {}, target);
  });

  test('is not needed for a key to expire', async () => {
    await using place = await Place.create();
    const laptop = await place.key('laptop');
    await place.list(`expires="2999-12-31" ${laptop.publicKey}`);
    const server = await place.server();
    const client = await place.client(laptop);
    await client.waitForEvent('ready');
    const expires = new Date(Date.now() + 3_000).toISOString().replace(/\.\d+/, '');
    await place.list(`expires="${expires}" ${laptop.publicKey}`);
    await server.waitForEvent('keys-changed');
    expect(await client.waitForExit()).toMatchObject({ code: 3 });
    expect(client.events.at(-1)).toMatchObject({ code: 'key-refused' });
    expect(Date.parse(client.events.at(-1)?.time ?? '')).toBeGreaterThanOrEqual(Date.parse(expires));
    expect(await place.isRefused(laptop)).toMatchObject({ code: 'key-refused', exitCode: 3 });
  });

  test('that breaks it, or removes it, is told and changes nothing', async () => {
    await using place = await Place.create();
    const [laptop, stranger] = [await place.key('laptop'), await place.key('stranger')];
    await place.list(laptop.publicKey);
    const server = await place.server();
    const client = await place.client(laptop);
    await client.waitForEvent('ready');
    await place.list(stranger.publicKey, 'prots=8000 nonsense');
    expect(await server.waitForEvent('warning')).toMatchObject({
      code: 'keys-unusable',
      reason: expect.stringMatching(/keys, line 2: unknown option "prots".*stay in force/) as string,
    });
    await place.isRefused(stranger);
    await place.comesIn(laptop);

    await rm(place.keysFile);
    await server.waitForEvent('warning', ({ reason }) => String(reason).includes('no such file'));
    await place.isRefused(stranger);
    await place.comesIn(laptop);

    await place.list(stranger.publicKey);
    await server.waitForEvent('keys-changed');
    await place.comesIn(stranger);
    expect(await client.waitForExit()).toMatchObject({ code: 3 });
  });

  test('is noticed in a file that is written in place, behind a link, and at SIGHUP', async () => {
    await using place = await Place.create();
    const [laptop, other] = [await place.key('laptop'), await place.key('other')];
    await place.list(laptop.publicKey);
    await rename(place.keysFile, place.file('one'));
    // Nobody watches that directory.
    await mkdir(place.file('elsewhere'));
    await writeFile(place.file('elsewhere/two'), `${laptop.publicKey}\n${other.publicKey}\n`);
    await symlink('one', place.keysFile);
    const server = await place.server();
    await place.isRefused(other);
    await symlink('elsewhere/two', place.file('link'));
    await rename(place.file('link'), place.keysFile);
    await server.waitForEvent('keys-changed', ({ count }) => count === 2);
    await place.comesIn(other);
    await writeFile(place.file('elsewhere/two'), `${laptop.publicKey}\n`);
    await server.waitForEvent('keys-changed', ({ count }) => count === 1);
    const again = server.waitForNextEvent('keys-changed');
    server.kill('SIGHUP');
    expect(await again).toMatchObject({ count: 1 });
    await place.comesIn(laptop);
    // It has no configuration file, and nobody asked for one.
    expect(server.stderr).not.toContain('config-unusable');
  });

  test('that narrows the ports moves a client that takes any, and ends one that wants another', async () => {
    await using place = await Place.create();
    const [any, exact] = [await place.key('any'), await place.key('exact')];
    const [first = 0, second = 0, third = 0] = await freePorts(3);
    await place.list(`ports=${first} ${any.publicKey}`, `ports=${second} ${exact.publicKey}`);
    const server = await place.server();
    const [mover, stayer] = [await place.client(any), await place.client(exact, ['--port', String(second)])];
    expect(publicPortOf(await mover.waitForEvent('ready'))).toBe(first);
    expect(publicPortOf(await stayer.waitForEvent('ready'))).toBe(second);
    await place.list(`ports=${third} ${any.publicKey}`, `ports=${first} ${exact.publicKey}`);
    await server.waitForEvent('keys-changed');
    expect(publicPortOf(await mover.waitForEvent('ready', (event) => publicPortOf(event) !== first))).toBe(third);
    expect(await stayer.waitForExit()).toMatchObject({ code: 5 });
    expect(stayer.events.at(-1)).toMatchObject({ code: 'port-not-allowed' });
  });
});

test('the example of docs/authorized-keys.md is one', async () => {
  await using place = await Place.create();
  await place.list(namedBlocks(readDocument('authorized-keys.md')).get('keys-file') ?? 'it is gone');
  const server = await place.server(['--domain', 'tunnel.example.org']);
  const again = server.waitForNextEvent('keys-changed');
  server.kill('SIGHUP');
  expect(await again).toMatchObject({ count: 4 });
});

describe('a server does not start', { timeout: 120_000 }, () => {
  test('with a line that is wrong', async () => {
    await using place = await Place.create();
    await place.list('# ours', 'tunnels=many nonsense');
    const server = place.own(await startTunnel(['server', '--port', '0', '--authorized-keys', place.keysFile]));
    expect(await server.waitForExit()).toMatchObject({ code: 2 });
    expect(server.logs.at(-1)?.msg).toContain(
      `${place.keysFile}, line 2: tunnels: "many" is not a number from 1 to 99999`,
    );
  });

  test('without the file', async () => {
    await using place = await Place.create();
    const server = place.own(await startTunnel(['server', '--port', '0', '--authorized-keys', place.keysFile]));
    expect(await server.waitForExit()).toMatchObject({ code: 2 });
    expect(server.stderr).toContain(`${place.keysFile}: no such file or directory`);
  });
});
