// HTTP under a name as Chromium sees it: a web application and a dev server behind `tunnel http`.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page, WebSocket } from 'playwright-core';
import { createServer as createViteServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestBrowser } from './support/browser.ts';
import type { TunnelProcess } from './support/command.ts';
import { patternBytes } from './support/pattern.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { type HttpTunnelProcess, startHttpProcess, startServerProcess } from './support/tunnel-processes.ts';
import { startWebApplication } from './support/web-application.ts';

/** For what only the other side can see. */
const TIMEOUT_MS = 10_000;

const UPLOAD_BYTES = 4 * 1024 * 1024;

const browser = new TestBrowser();
let server: { readonly server: TunnelProcess; readonly port: number };

beforeAll(async () => {
  // Dev servers answer to any name below `localhost`: only others show what they refuse.
  server = await startServerProcess(['--port', '0', '--allow-hosts', '*.example.test']);
});

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await server.server[Symbol.asyncDispose]();
});

function tunnelTo(port: number, ...args: readonly string[]): Promise<HttpTunnelProcess> {
  return startHttpProcess(server.port, port, args);
}

/** What the page logged, once it logged this. */
async function logOf(page: Page, awaited: string): Promise<readonly string[]> {
  const log = page.locator('#log', { hasText: awaited });
  await log.waitFor();
  return (await log.textContent())?.trim().split('\n') ?? [];
}

describe('in Chromium', { timeout: 90_000 }, () => {
  test('a login by form and cookie lasts until the logout', async (context) => {
    const page = await browser.newPage(context);
    await using application = await startWebApplication();
    await using tunnel = await tunnelTo(application.port, '--host', 'app');
    expect(tunnel.url).toBe(`http://app.localhost:${server.port}`);
    await page.goto(tunnel.url);
    const heading = page.locator('h1');
    const enter = async (password: string): Promise<void> => {
      await page.fill('[name=user]', 'anna');
      await page.fill('[name=password]', password);
      await page.click('button');
    };
    await enter('word & pass');
    expect(await heading.textContent()).toBe('wrong');

    await page.goto(tunnel.url);
    expect(page.url()).toBe(`${tunnel.url}/login`);
    await enter('pass & word');
    await heading.waitFor();
    expect([page.url(), await heading.textContent()]).toEqual([`${tunnel.url}/`, 'hello anna']);
    const cookies = (await page.context().cookies()).toSorted((a, b) => a.name.localeCompare(b.name));
    expect(cookies).toMatchObject(
      ['theme', 'user'].map((name) => ({ name, domain: 'app.localhost', httpOnly: true, sameSite: 'Lax' })),
    );
    await page.reload();
    expect(await heading.textContent()).toBe('hello anna');

    await page.click('button');
    await page.waitForURL(`${tunnel.url}/login`);
    expect(await page.context().cookies()).toMatchObject([{ name: 'theme' }]);
  });

  test('an uploaded file arrives as it was', async (context) => {
    const page = await browser.newPage(context);
    await using application = await startWebApplication();
    await using tunnel = await tunnelTo(application.port);
    await page.goto(`${tunnel.url}/upload`);
    const buffer = patternBytes(1, 0, UPLOAD_BYTES);
    await page.fill('[name=words]', 'größer als eine Zeile');
    await page.setInputFiles('[name=file]', {
      name: 'bytes – größer.bin',
      mimeType: 'application/octet-stream',
      buffer,
    });
    await page.click('button');
    expect(await page.locator('h1').textContent()).toBe('größer als eine Zeile');
    const [file] = application.uploads;
    expect(file?.name).toBe('bytes – größer.bin');
    expect(buffer.equals(Buffer.from((await file?.arrayBuffer()) ?? new ArrayBuffer(0)))).toBe(true);
  });

  test('a WebSocket carries text, binary, and why it was closed', async (context) => {
    const page = await browser.newPage(context);
    await using application = await startWebApplication();
    await using tunnel = await tunnelTo(application.port);
    await page.goto(`${tunnel.url}/socket`);
    expect(await logOf(page, 'closed')).toEqual(['text, and more: ü', 'true 1048576', 'closed 4001 as you wish true']);
  });

  test('server-sent events come one by one, and the browser asks for those that it missed', async (context) => {
    const page = await browser.newPage(context);
    await using application = await startWebApplication();
    await using tunnel = await tunnelTo(application.port);
    await page.goto(`${tunnel.url}/events`);
    await expect.poll(() => application.lastEventIds, { timeout: TIMEOUT_MS }).toEqual([undefined]);
    await application.publish('1', 'one');
    expect(await logOf(page, 'one')).toEqual(['one']);
    await application.publish('2', 'two');
    expect(await logOf(page, 'two')).toEqual(['one', 'two']);

    application.endStreams();
    await expect.poll(() => application.lastEventIds, { timeout: TIMEOUT_MS }).toEqual([undefined, '2']);
    await application.publish('3', 'three');
    expect(await logOf(page, 'three')).toEqual(['one', 'two', 'three']);
  });

  test('with --host-header local a framework that checks Origin takes its own forms, and only those', async (context) => {
    const page = await browser.newPage(context);
    await using application = await startWebApplication();
    const local = `127.0.0.1:${application.port}`;
    await using own = await tunnelTo(application.port, '--host', 'own.example.test', '--host-header', 'local');
    await using other = await tunnelTo(application.port, '--host', 'other.example.test', '--host-header', local);
    const post = async (from: string, to = ''): Promise<string> => {
      await page.goto(`${from}/form?to=${encodeURIComponent(to)}`);
      const answer = page.waitForResponse((response) => response.request().method() === 'POST');
      await page.click('button');
      return (await answer).text();
    };
    expect(await post(own.url)).toBe(`taken for ${local}`);
    expect(await post(own.url, '/form?rule=forwarded')).toBe(`taken for ${local}`);
    // Its Origin stays what it is.
    expect(await post(other.url, `${own.url}/form`)).toBe('Forbidden');
    // Without `local` not even its own: the service is told one name in Host and another one in Origin.
    expect(await post(other.url)).toBe('Forbidden');
  });

  test('Vite refuses an unknown host; with --host-header local its pages work, and changes are loaded hot', async (context) => {
    const page = await browser.newPage(context);
    await using directory = await temporaryDirectory();
    const write = (name: string, text: string): Promise<void> => writeFile(join(directory.path, name), text);
    await write('index.html', '<h1></h1><script type="module" src="/main.js"></script>');
    await write('words.js', `export const words = 'before';`);
    await write(
      'main.js',
      `import { words } from './words.js';
      const show = (words) => (document.querySelector('h1').textContent = words + ', loads: ' + loads);
      const loads = (sessionStorage.loads = Number(sessionStorage.loads ?? 0) + 1);
      show(words);
      import.meta.hot.accept('./words.js', ({ words }) => show(words));`,
    );
    await using vite = await startVite(directory.path);

    await using refused = await tunnelTo(vite.port, '--host', 'kept.example.test');
    const refusal = await page.goto(refused.url);
    expect(refusal?.status()).toBe(403);
    expect(await refusal?.text()).toContain('This host ("kept.example.test") is not allowed');

    await using tunnel = await tunnelTo(vite.port, '--host', 'dev.example.test', '--host-header', 'local');
    const connected = new Promise<WebSocket>((resolve) => {
      page.on('websocket', (socket) => socket.once('framereceived', () => resolve(socket)));
    });
    await page.goto(tunnel.url);
    const heading = page.locator('h1');
    await heading.filter({ hasText: 'before, loads: 1' }).waitFor();
    const socket = await connected;
    // Where it cannot connect, Vite's page tries the local port, which is no use elsewhere.
    expect(new URL(socket.url()).host).toBe(`dev.example.test:${server.port}`);
    await write('words.js', `export const words = 'after';`);
    await heading.filter({ hasText: 'after, loads: 1' }).waitFor();
  });
});

/** A dev server on a free port of loopback, configured as it is without a configuration. */
async function startVite(root: string): Promise<AsyncDisposable & { readonly port: number }> {
  const vite = await createViteServer({
    root,
    configFile: false,
    logLevel: 'silent',
    server: { host: '127.0.0.1', port: 0 },
  });
  await vite.listen();
  // Changes before that are nothing new to it.
  const watched = (): readonly string[] => Object.values(vite.watcher.getWatched()).flat();
  await expect.poll(watched, { timeout: TIMEOUT_MS }).toContain('words.js');
  const port = Number(new URL(vite.resolvedUrls?.local[0] ?? '').port);
  return { port, [Symbol.asyncDispose]: () => vite.close() };
}
