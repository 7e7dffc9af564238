// The inspector's page in Chromium, as a person uses it.
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { once } from 'node:events';
import { TestBrowser } from './support/browser.ts';
import type { TunnelProcess } from './support/command.ts';
import { Inspector } from './support/inspector.ts';
import { startHttpService, type HttpService, visitHost } from './support/http-visits.ts';
import { type HttpTunnelProcess, startHttpProcess, startServerProcess } from './support/tunnel-processes.ts';

const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 800 };

/** Runs in a page that takes it for markup. */
const ATTACK = `<img src=x onerror="window.attacked=1"><script>window.attacked=1</script>`;

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
);

const browser = new TestBrowser();
let server: { readonly server: TunnelProcess; readonly port: number };
let service: HttpService;
let tunnel: HttpTunnelProcess;
let inspector: Inspector;
/** What the service got, newest last. */
const served: string[] = [];

beforeAll(async () => {
  server = await startServerProcess(['--port', '0']);
  service = await startHttpService(answer);
  new WebSocketServer({ server: service.http }).on('connection', (socket) => {
    socket.on('message', (data: Buffer) => socket.send(data.toString()));
  });
  tunnel = await startHttpProcess(server.port, service.port, ['--host', 'shop', '--inspect', '0']);
  inspector = await Inspector.of(tunnel.client);
});

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await tunnel[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
  await server.server[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await inspector.ask('/api/exchanges', { method: 'DELETE' });
  served.length = 0;
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  served.push(`${request.method} ${request.url} ${body}`);
  switch (request.url?.split('?', 1)[0]) {
    case '/items':
      response.setHeader('Content-Type', 'application/json');
      response.setHeader('Content-Encoding', 'gzip');
      response.setHeader('Set-Cookie', 'sid=open-sesame');
      response.end(gzipSync(JSON.stringify({ items: [{ name: 'größer' }] })));
      return;
    case '/picture':
      response.setHeader('Content-Type', 'image/png');
      response.end(PIXEL);
      return;
    case '/attack':
      response.setHeader('Content-Type', 'text/html');
      response.setHeader('X-Attack', ATTACK);
      response.end(ATTACK);
      return;
    case '/missing':
      response.statusCode = 404;
      response.end('not here');
      return;
    default:
      response.end(`took ${body.length}`);
  }
}

function visit(path: string, options: Parameters<typeof visitHost>[2] = {}, body = ''): Promise<IncomingMessage> {
  return visitHost(server.port, `${tunnel.url}${path}`, options, body);
}

async function open(page: Page): Promise<void> {
  await page.goto(inspector.link);
  await page.getByText('live', { exact: true }).waitFor();
}

function rows(page: Page): Promise<readonly string[]> {
  return page.locator('.row .path').allTextContents();
}

/** A row of the list. */
function row(page: Page, path: string): ReturnType<Page['locator']> {
  return page.locator('.row', { has: page.locator('.path', { hasText: path }) }).first();
}

const section = (page: Page, name: string): ReturnType<Page['locator']> =>
  page.getByRole('region', { name, exact: true });

async function violations(page: Page): Promise<unknown> {
  // Past the page's policy, as an extension of a browser is.
  await page.evaluate(axe.source);
  const { violations: found } = await page.evaluate<axe.AxeResults>('axe.run()');
  return found.map(({ id, nodes }) => ({
    id,
    nodes: nodes.map(({ html, failureSummary }) => `${html}: ${failureSummary}`),
  }));
}

describe('the page', { timeout: 90_000 }, () => {
  test('lists live, keeps the token out of the address, and shows an exchange in full', async (context) => {
    const page = await browser.newPage(context);
    await visit('/before');
    await open(page);
    expect(page.url()).toBe(`http://127.0.0.1:${inspector.port}/`);
    await row(page, '/before').waitFor();
    await visit('/items?b=2', { headers: { authorization: 'Bearer open-sesame', 'x-visitor': 'yes' } });
    await row(page, '/items?b=2').click();
    const request = section(page, 'request');
    await request.getByText('GET /items?b=2 HTTP/1.1').waitFor();
    await request.getByRole('row', { name: 'x-visitor yes' }).waitFor();
    const answered = section(page, 'answer');
    await answered.getByText('{\n  "items": [\n    {\n      "name": "größer"').waitFor();
    expect(await page.content()).not.toContain('open-sesame');
    await page.getByRole('button', { name: 'show masked' }).click();
    await request.getByText('Bearer open-sesame').waitFor();
    await answered.getByText('sid=open-sesame').waitFor();

    await answered.getByRole('button', { name: 'hex' }).click();
    await answered.getByText('000000  7b 22 69 74 65 6d 73 22').waitFor();
    await section(page, 'timing').getByText('wait').waitFor();

    // Who has not followed the link is told to.
    const other = await browser.newPage(context);
    await other.goto(page.url());
    await other.getByRole('alert').getByText('open the link').waitFor();
    await other.goto(inspector.link);
    await other.getByText('live', { exact: true }).waitFor();
    expect(await page.context().cookies()).toEqual([]);
  });

  test('filters by method, status, path and text', async (context) => {
    const page = await browser.newPage(context);
    await visit('/items');
    await visit('/missing');
    await visit('/hook', { method: 'POST' }, 'a needle in a haystack');
    await open(page);
    await expect.poll(() => rows(page)).toEqual(['/hook', '/missing', '/items']);
    await page.getByLabel('status').fill('4xx');
    expect(await rows(page)).toEqual(['/missing']);
    await page.getByRole('button', { name: 'all', exact: true }).click();
    await page.getByLabel('method').selectOption('GET');
    expect(await rows(page)).toEqual(['/missing', '/items']);
    await page.getByLabel('path').fill('ITEM');
    expect(await rows(page)).toEqual(['/items']);
    await page.getByRole('button', { name: 'all', exact: true }).click();
    await page.getByLabel('text').fill('NEEDLE');
    await expect.poll(() => rows(page)).toEqual(['/hook']);
    await page.getByLabel('text').fill('größer');
    await expect.poll(() => rows(page)).toEqual(['/items']);
  });

  test('shows forms, images and messages', async (context) => {
    const page = await browser.newPage(context);
    const type = 'application/x-www-form-urlencoded';
    await visit('/form', { method: 'POST', headers: { 'content-type': type } }, 'name=J%C3%BCrgen&age=7');
    await visit('/picture');
    const { host } = new URL(tunnel.url);
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/socket`, { headers: { host } });
    await once(socket, 'open');
    await open(page);
    await row(page, '/form').click();
    await section(page, 'request').getByRole('row', { name: 'name Jürgen' }).waitFor();
    await row(page, '/picture').click();
    const image = page.getByAltText('image in the body of the answer');
    await image.waitFor();
    await expect
      .poll(() => image.evaluate((element) => (element as unknown as { naturalWidth: number }).naturalWidth))
      .toBe(1);
    await row(page, '/socket').click();
    await page.getByText('no replay: a connection that was upgraded').waitFor();
    expect(await page.getByRole('button', { name: 'replay' }).isDisabled()).toBe(true);
    socket.send('{"hello":[1]}');
    await page.getByText('{\n  "hello": [\n    1').first().waitFor();
    await expect.poll(() => page.locator('.messages li').count()).toBe(2);
    socket.terminate();
  });

  test('by keyboard alone: filter, choose, replay, edit, go back', async (context) => {
    const page = await browser.newPage(context);
    await visit('/items');
    await visit('/hook?x=1', { method: 'POST' }, 'as it was');
    await visit('/missing');
    await open(page);
    await row(page, '/hook').waitFor();
    const press = async (...keys: readonly string[]): Promise<void> => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const focused = (): Promise<string> => page.evaluate(`document.activeElement?.textContent ?? ''`);
    const reach = async (name: RegExp): Promise<void> => {
      for (let count = 0; count < 40 && !name.test((await focused()).trim()); count += 1) await press('Tab');
      expect((await focused()).trim()).toMatch(name);
    };
    await press('/');
    await page.keyboard.type('o');
    await expect.poll(() => rows(page)).toEqual(['/hook?x=1']);
    await press('Backspace');
    await reach(/\/missing/);
    await press('ArrowDown', 'Enter');
    await page.getByText('POST /hook?x=1 HTTP/1.1').waitFor();
    await reach(/^replay$/);
    await press('Enter');
    await expect.poll(() => served.at(-1)).toBe('POST /hook?x=1 as it was');
    await page.getByText('sent again, straight to the service').waitFor();
    await page.getByText(/replay of \d/).waitFor();

    await reach(/^edit$/);
    await press('Enter');
    await page.getByLabel('edit and send again').waitFor();
    await page.getByLabel('body', { exact: true }).waitFor();
    await press('ControlOrMeta+A');
    await page.keyboard.type('PUT');
    await press('Tab', 'End');
    await page.keyboard.type('&y=2');
    await press('Tab', 'Tab', 'ControlOrMeta+A');
    await page.keyboard.type('another one');
    await press('Tab', 'Enter');
    await expect.poll(() => served.at(-1)).toBe('PUT /hook?x=1&y=2 another one');
    await page.getByText('PUT /hook?x=1&y=2 HTTP/1.1').waitFor();
    await press('Escape');
    await expect.poll(focused).toContain('/hook?x=1&y=2');
  });

  test('copies as curl, and saves as HAR', async (context) => {
    const page = await browser.newPage(context);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await visit('/hook', { method: 'POST', headers: { 'x-visitor': "it's" } }, 'words');
    await open(page);
    await row(page, '/hook').click();
    await page.getByRole('button', { name: 'copy as curl' }).click();
    await page.getByText('copied as a call of curl').waitFor();
    const curl = await page.evaluate('navigator.clipboard.readText()');
    expect(curl).toContain(`curl --request POST ${tunnel.url}/hook --header`);
    expect(curl).toContain(`--header 'x-visitor: it'\\''s'`);
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'save as HAR', exact: true }).click();
    const path = await (await download).path();
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      log: { entries: [{ request: { method: 'POST', postData: { text: 'words' } } }] },
    });
  });

  test('runs nothing of what a visitor or a service says', async (context) => {
    const page = await browser.newPage(context);
    const said: string[] = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(String(error)));
    const type = 'application/x-www-form-urlencoded';
    const headers = { 'user-agent': ATTACK, 'x-attack': ATTACK, 'content-type': type };
    const path = `/attack?${ATTACK.replaceAll(' ', '%20')}`;
    await visit(path, { method: 'POST', headers }, `${ATTACK}=${ATTACK}`);
    await open(page);
    await row(page, '/attack').click();
    for (const name of ['request', 'answer']) {
      for (const view of ['raw', 'hex', 'pretty']) {
        await section(page, name).getByRole('button', { name: view }).click();
      }
    }
    await section(page, 'answer').getByText(ATTACK).first().waitFor();
    await page.getByRole('button', { name: 'edit' }).click();
    await page.getByLabel('edit and send again').waitFor();
    expect(await page.evaluate(`'attacked' in window`)).toBe(false);
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(said).toEqual([]);
  });

  test('a foreign page gets nothing: no answer, no frame, nothing sent', async (context) => {
    const page = await browser.newPage(context);
    await visit('/hook', { method: 'POST' }, 'once');
    const target = `http://127.0.0.1:${inspector.port}`;
    const script = `
      const attempt = (path, init) => fetch('${target}' + path, init).then((response) => response.text(), () => 'nothing');
      const headers = { Authorization: 'Bearer ${inspector.token}' };
      Promise.all([
        attempt('/api/exchanges'),
        attempt('/api/exchanges', { headers }),
        attempt('/'),
        attempt('/api/exchanges/1/replay', { method: 'POST', body: '{}' }),
        attempt('/api/exchanges/1/replay', { method: 'POST', mode: 'no-cors', body: '{}' }),
      ]).then((got) => (document.querySelector('pre').textContent = got.join()));`;
    await using foreign = await startHttpService((_request, response) => {
      response.setHeader('Content-Type', 'text/html');
      response.end(`<iframe src="${target}/"></iframe><pre></pre><script>${script}</script>`);
    });
    await page.goto(`http://foreign.example.test:${foreign.port}/`);
    // Of the last one a script sees no more than that there was an answer.
    await page.locator('pre', { hasText: 'nothing,nothing,nothing,nothing,' }).waitFor();
    const frame = page.frames().find((each) => each.parentFrame() !== null);
    expect(await frame?.locator('#page').count()).toBe(0);
    // By a name of its own that leads to this machine (DNS rebinding).
    const rebound = await page.goto(`http://rebound.example.test:${inspector.port}/`);
    expect(rebound?.status()).toBe(403);
    expect(served).toEqual(['POST /hook once']);
  });

  test.for([
    ['light', DESKTOP],
    ['dark', DESKTOP],
    ['light', PHONE],
    ['dark', PHONE],
  ] as const)('in %s, on %o: nothing is cut off, and axe-core finds nothing', async ([colorScheme, size], context) => {
    const page = await browser.newPage(context);
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    await visit('/items?with=a-very-long-query&'.padEnd(300, 'x'), { headers: { cookie: 'a=b' } });
    await visit('/missing');
    await visit('/hook', { method: 'POST' }, 'body');
    await open(page);
    await row(page, '/hook').waitFor();
    const fits = async (): Promise<void> => {
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(size.width);
      expect(await violations(page)).toEqual([]);
    };
    await fits();
    await row(page, '/items').click();
    await section(page, 'answer').getByText('größer').waitFor();
    await fits();
    const folder = process.env['TUNNEL_TEST_SCREENSHOTS'];
    if (folder !== undefined) await page.screenshot({ path: `${folder}/inspector-${colorScheme}-${size.width}.png` });
    await page.getByRole('button', { name: 'edit' }).click();
    await page.getByLabel('edit and send again').waitFor();
    await fits();
    if (size === PHONE) {
      await page.getByRole('button', { name: 'cancel' }).click();
      await page.getByRole('button', { name: 'back' }).click();
      await row(page, '/hook').click();
      await section(page, 'request').getByText('POST /hook HTTP/1.1').waitFor();
    }
  });
});
