// One page through a tunnel, with the built command and nothing else, so that it runs on every system: a server, a client that
// finds it by the files of this user, a visitor, and `tunnel status`. Ends with 0, or with 1 and all that the programs said.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const TIMEOUT_MS = 60_000;
const PAGE = `through the tunnel on ${process.platform}, Node ${process.version}\n`;

const command = join(import.meta.dirname, '../packages/cli/dist/tunnel.js');
const home = mkdtempSync(join(tmpdir(), 'tunnel-smoke-'));

/** Of a user who has never run it, with the folders where this system has them. */
const environment = {
  ...process.env,
  HOME: home,
  USERPROFILE: home,
  LOCALAPPDATA: join(home, 'AppData', 'Local'),
  APPDATA: join(home, 'AppData', 'Roaming'),
};
for (const name of Object.keys(environment)) if (/^(?:TUNNEL|XDG)_/i.test(name)) delete environment[name];

const running = new Set();
let said = '';

/** Runs `tunnel`: its lines of JSON one by one, and its end. */
function tunnel(...args) {
  const child = spawn(process.execPath, [command, ...args], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    return { code, signal };
  });
  child.stderr.setEncoding('utf8').on('data', (text) => (said += `tunnel ${args[0]}: ${text}`));
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => (said += `tunnel ${args[0]}: ${line}\n`));
  return { child, ended, lines };
}

/** The first event of this name. Rejects if the program ends before. */
function eventOf({ lines, ended }, name) {
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const event = JSON.parse(line);
      if (event.event === name) resolve(event);
    });
    void ended.then(({ code, signal }) => reject(new Error(`it ended (${code ?? signal}) before ${name}`)));
  });
}

/** Not by `fetch`, which refuses some ports that a tunnel may get. */
async function pageAt(port) {
  const [response] = await once(get({ host: '127.0.0.1', port, agent: false }), 'response');
  return (await response.setEncoding('utf8').toArray()).join('');
}

function expectEqual(what, found, expected) {
  if (found !== expected) throw new Error(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);
}

async function smoke() {
  const site = createServer((_request, response) => response.end(PAGE)).listen(0, '127.0.0.1');
  await once(site, 'listening');
  site.unref();
  const server = tunnel('server', '--host', '127.0.0.1', '--port', '0', '--output', 'json');
  await eventOf(server, 'listening');
  const client = tunnel('local', `127.0.0.1:${site.address().port}`, '--output', 'json');
  const { tunnels } = await eventOf(client, 'ready');

  expectEqual('the page', await pageAt(tunnels[0].port), PAGE);

  const status = tunnel('status', '--json');
  let text = '';
  status.lines.on('line', (line) => (text += line));
  expectEqual('the exit code of `tunnel status`', (await status.ended).code, 0);
  const [found] = JSON.parse(text);
  expectEqual('the process in `tunnel status`', found?.pid, client.child.pid);
  expectEqual('its state', found.state, 'ready');

  for (const { child, ended } of [client, server]) {
    // On Windows that ends a program at once, whatever it would do at a signal.
    child.kill();
    const { code } = await ended;
    if (process.platform !== 'win32') expectEqual('the exit code after SIGTERM', code, 0);
  }
}

const timer = setTimeout(() => fail(new Error(`not done after ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);

function fail(error) {
  for (const child of running) child.kill('SIGKILL');
  console.error(`${said}error: ${error.message}`);
  process.exitCode = 1;
  setTimeout(() => process.exit(), 1_000).unref();
}

await smoke().then(() => process.stdout.write(PAGE), fail);
clearTimeout(timer);
// A virus scanner may still look at what was just written.
process.on('exit', () => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));
