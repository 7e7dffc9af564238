// `tunnel http`, and tunnels with a web address in the configuration file.
import { chmod, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTunnel, type TunnelProcess } from './support/command.ts';
import { TEST_SECRET } from './support/pair.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startServerProcess } from './support/tunnel-processes.ts';

const PASSWORD = 'open-sesame';

let service: Server;
let target: string;
let server: TunnelProcess;
let port: number;

beforeAll(async () => {
  service = createServer(({ headers }, response) => response.end(`${headers.host} ${String(headers['x-added'])}`));
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  target = `127.0.0.1:${(service.address() as AddressInfo).port}`;
  ({ server, port } = await startServerProcess(['--port', '0']));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  service.close();
});

function start(args: readonly string[]): Promise<TunnelProcess> {
  const words = [...args, '--to', `127.0.0.1:${port}`, '--output', 'json'];
  return startTunnel(words, { env: { TUNNEL_SECRET: TEST_SECRET } });
}

async function visit(host: string, credentials = ''): Promise<readonly [status: number, text: string]> {
  const authorization = credentials === '' ? {} : { authorization: `Basic ${btoa(credentials)}` };
  const headers = { host: `${host}.localhost:${port}`, connection: 'close', ...authorization };
  const [answer] = (await once(request({ host: '127.0.0.1', port, headers }).end(), 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return [answer.statusCode ?? 0, text];
}

test('an address, passwords from a file, other headers, and an event for each request', async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'visitors');
  await writeFile(file, `me:${PASSWORD}\n`, { mode: 0o600 });
  const options = ['--basic-auth', `@${file}`, '--host-header', 'local', '--set-header', 'X-Added: yes'];
  await using client = await start(['http', target, '--host', 'shop', ...options]);
  const url = `http://shop.localhost:${port}`;
  expect((await client.waitForEvent('ready'))['tunnels']).toEqual([{ target, url, urls: [url] }]);
  expect(await visit('shop')).toMatchObject([401, expect.any(String)]);
  expect(await visit('shop', `me:${PASSWORD}`)).toEqual([200, `${target} yes`]);
  expect(await client.waitForEvent('request')).toMatchObject({ method: 'GET', target: '/', status: 200 });
  expect(client.stderr).not.toMatch(/can see|can read/);
  expect(client.stdout + client.stderr + server.stdout + server.stderr).not.toContain(PASSWORD);
});

test('passwords that others can see or read are warned of, and not printed', async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'visitors');
  await writeFile(file, 'you:sesame\n');
  await chmod(file, 0o644);
  await using client = await start(['http', target, '--basic-auth', `me:${PASSWORD}`, '--basic-auth', `@${file}`]);
  await client.waitForEvent('ready');
  await client.waitForStderr(/can see a password on the command line/);
  await client.waitForStderr(/can read .*visitors/);
  expect(client.stdout + client.stderr).not.toContain(PASSWORD);
});

test('a name outside the domain ends with 5, and says what is allowed', async () => {
  await using client = await start(['http', target, '--host', 'shop.example.org']);
  expect(await client.waitForExit()).toEqual({ code: 5, signal: null });
  expect(await client.waitForEvent('stopped')).toMatchObject({
    code: 'host-not-allowed',
    reason: expect.stringContaining('shop.example.org') as string,
  });
});

test('tunnels of both types in one file share a session', async () => {
  await using directory = await temporaryDirectory();
  const config = join(directory.path, 'tunnel.toml');
  const text = `[client]\nset-header = "X-Added: file"\n[tunnels.plain]\ntarget = "${target}"\n[tunnels.web]\ntype = "http"\ntarget = "${target}"\n`;
  await writeFile(config, text);
  await using client = await start(['run', '--config', config]);
  const [plain, web, ...others] = (await client.waitForEvent('ready'))['tunnels'] as Record<string, unknown>[];
  expect(others).toEqual([]);
  expect(plain).toEqual({
    name: 'plain',
    target,
    url: `tcp://127.0.0.1:${String(plain?.['port'])}`,
    port: plain?.['port'],
  });
  const url = expect.stringMatching(/^http:\/\/web-[a-z2-7]{10}\.localhost:\d+$/) as string;
  expect(web).toEqual({ name: 'web', target, url, urls: [url] });
  const [label = ''] = new URL(String(web?.['url'])).hostname.split('.');
  expect(await visit(label)).toEqual([200, `${label}.localhost:${port} file`]);
  await writeFile(config, text.replace('X-Added: file', 'X-Added: again'));
  client.kill('SIGHUP');
  await client.waitForEvent('ready', ({ tunnels }) => (tunnels as unknown[]).length === 2);
  await expect.poll(() => visit(label)).toEqual([200, `${label}.localhost:${port} again`]);
});
