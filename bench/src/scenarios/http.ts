import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { findProgram } from '@tunnel/test/support/program';
import { startReverseProxy } from '@tunnel/test/support/reverse-proxies';
import { temporaryDirectory } from '@tunnel/test/support/temporary-directory';
import { LoadProcess } from '../load/load-process.ts';
import type { HttpProxyCalls } from '../load/processes/http-proxy.ts';
import type { HttpServiceCalls } from '../load/processes/http-service.ts';
import { pidOf, startClient, startHttpClient, startServer } from '../paths.ts';
import { cpuSeconds } from '../process-figures.ts';
import { type PathName, Rounds, type Row, type Scenario, type Settings } from '../scenario.ts';

const AT_ONCE = 50;
const DOWNLOAD_BYTES = 2 ** 30;

/** A way to the web service. */
interface Way {
  readonly name: PathName;
  readonly port: number;
  /** As requests name it. */
  readonly host: string;
  /** The processes in between. */
  readonly pids: readonly number[];
}

/** Requests of kept connections, as wrk makes them, and one long answer. */
export const http: Scenario = {
  names: ['http', 'http-cpu', 'http-p99', 'http-bulk'],
  isQuick: true,
  async measure(settings: Settings): Promise<readonly Row[]> {
    const [rate, cpu, p99, speed] = [new Rounds(), new Rounds(), new Rounds(), new Rounds()];
    await using opened = new Opened();
    const ways = await openWays(opened, settings);
    const wrk = findProgram('wrk');
    if (!wrk) console.error('requests are not measured: install wrk');
    // Uncounted: code is compiled, and windows grow.
    for (const way of ways) await download(way);
    for (let round = 0; round < settings.rounds; round += 1) {
      for (const way of ways) {
        if (wrk && way.name !== 'local') {
          await requests(wrk, way, settings.warmUpMs);
          const cpuBefore = cpuSeconds(way.pids);
          const { count, seconds, p99Ms } = await requests(wrk, way, settings.measureMs);
          rate.set(round, way.name, count / seconds);
          p99.set(round, way.name, p99Ms);
          if (way.pids.length > 0) cpu.set(round, way.name, ((cpuSeconds(way.pids) - cpuBefore) / count) * 1e6);
        }
        speed.set(round, way.name, await download(way));
      }
    }
    const what = `HTTP requests, ${AT_ONCE} at a time`;
    return [
      { name: 'http', what, unit: '1/s', rounds: rate.all, target: { kind: 'at-least-times', of: 'bare', times: 0.5 } },
      { name: 'http-cpu', what: 'CPU of a request, all processes in between', unit: 'µs', rounds: cpu.all },
      { name: 'http-p99', what: `${what}, p99`, unit: 'ms', rounds: p99.all, target: { kind: 'at-most', value: 50 } },
      {
        name: 'http-bulk',
        what: 'an answer of 1 GiB',
        unit: 'Gbit/s',
        rounds: speed.all,
        target: { kind: 'at-least-times', of: 'local', times: 0.6 },
      },
    ];
  },
};

/** What is to be ended, the last one first. */
class Opened implements AsyncDisposable {
  readonly #all: AsyncDisposable[] = [];

  add<T extends AsyncDisposable>(one: T): T {
    this.#all.push(one);
    return one;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#all.toReversed()) await one[Symbol.asyncDispose]();
  }
}

async function openWays(opened: Opened, { withOthers }: Settings): Promise<readonly Way[]> {
  const service = opened.add(new LoadProcess<HttpServiceCalls>('http-service'));
  const proxy = opened.add(new LoadProcess<HttpProxyCalls>('http-proxy'));
  const port = await service.call('listen', undefined);
  const server = await startServer();
  opened.add(server.process);
  const client = opened.add(await startHttpClient(server.port, port, 'bench'));
  const local = opened.add(await startClient(server.port, [port]));
  const { tunnels } = await local.waitForEvent('ready');
  const [{ port: localPort = 0 } = {}] = tunnels as { readonly port?: number }[];
  const plain = (name: PathName, at: number, pids: readonly number[]): Way => ({ name, port: at, host: 'bench', pids });
  return [
    plain('direct', port, []),
    { name: 'tunnel', port: server.port, host: 'bench.localhost', pids: [server.pid, pidOf(client)] },
    plain('bare', await proxy.call('open', { targetPort: port }), [proxy.pid]),
    plain('local', localPort, []),
    ...(withOthers && findProgram('nginx') ? [plain('nginx', await startNginx(opened, port), [])] : []),
  ];
}

async function startNginx(opened: Opened, servicePort: number): Promise<number> {
  const directory = opened.add(await temporaryDirectory());
  const text = `upstream service { server 127.0.0.1:${servicePort}; keepalive 64; }
server {
  listen 127.0.0.1:PORT;
  keepalive_requests 1000000;
  location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }
}`;
  const proxy = await startReverseProxy({
    name: 'nginx',
    text,
    serverPort: servicePort,
    directory,
    replacements: ({ port }) => [['PORT', String(port)]],
  });
  opened.add(proxy);
  return proxy.port;
}

interface Outcome {
  readonly count: number;
  readonly seconds: number;
  readonly p99Ms: number;
}

/** For about so long: wrk counts in whole seconds. */
async function requests(wrk: string, { port, host }: Way, durationMs: number): Promise<Outcome> {
  const seconds = Math.max(1, Math.round(durationMs / 1000));
  const args = [
    '-t1',
    `-c${AT_ONCE}`,
    `-d${seconds}s`,
    '--latency',
    '-H',
    `Host: ${host}`,
    `http://127.0.0.1:${port}/`,
  ];
  const { stdout } = await promisify(execFile)(wrk, args);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk through port ${port}: ${stdout}`);
  const [, count, took] = /(\d+) requests in ([\d.]+)s/.exec(stdout) ?? [];
  const [, latency, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  const inMs = { us: 0.001, ms: 1, s: 1000 }[unit ?? ''] ?? Number.NaN;
  return { count: Number(count), seconds: Number(took), p99Ms: Number(latency) * inMs };
}

/** Gbit/s. */
async function download({ port, host }: Way): Promise<number> {
  const beganMs = performance.now();
  const request = get({ host: '127.0.0.1', port, path: `/${DOWNLOAD_BYTES}`, headers: { host }, agent: false });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  let bytes = 0;
  answer.on('data', (chunk: Buffer) => (bytes += chunk.length));
  await once(answer, 'end');
  if (bytes !== DOWNLOAD_BYTES) throw new Error(`${bytes} bytes of ${DOWNLOAD_BYTES} came through port ${port}`);
  return (bytes * 8) / (performance.now() - beganMs) / 1e6;
}
