import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ExchangeRecorder, ownConnections } from '@tunnel/client/internal';
import { InspectorApi, say } from './api.ts';
import { refusalOfSender, refusalOfToken } from './guard.ts';
import type { PageFile } from './page-files.ts';

const HOST = '127.0.0.1';
/** Further connections are closed at once. */
const MAX_CONNECTIONS = 64;
/** Ports that are tried one after the other, before any free one will do. */
const PORTS_TRIED = 100;
/** For a request to arrive, in ms. */
const REQUEST_TIMEOUT_MS = 30_000;
const TOKEN_BYTES = 16;

/** Of every answer. The page runs nothing but its own script, and nobody else has it in a frame. */
const SAFETY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-store',
};

export interface InspectorServerOptions {
  /** Where to listen; if it is taken, at the next free one. 0 for any. */
  readonly port: number;
  readonly recorder: ExchangeRecorder;
  readonly files: ReadonlyMap<string, PageFile>;
  readonly version: string;
}

export interface InspectorServer extends AsyncDisposable {
  /** Whoever has it may look at everything. */
  readonly link: string;
}

/** Serves the inspector on loopback until it is disposed of. Rejects with what the system says where it cannot listen. */
export async function serveInspector(options: InspectorServerOptions): Promise<InspectorServer> {
  const { port, recorder, files, version } = options;
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const api = new InspectorApi(recorder, version);
  const http = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
  http.maxConnections = MAX_CONNECTIONS;
  http.on('request', (request, response) => void answer(request, response, { api, files, token }));
  await listen(http, port);
  http.on('error', () => {});
  // It must not keep the program running.
  http.unref();
  const { port: chosen } = http.address() as AddressInfo;
  return {
    link: `http://${HOST}:${chosen}/#${token}`,
    [Symbol.asyncDispose]: async () => {
      api[Symbol.dispose]();
      http.close();
      http.closeAllConnections();
    },
  };
}

async function listen(http: Server, first: number): Promise<void> {
  for (let port = first; port < first + PORTS_TRIED && port <= 65_535; port += 1) {
    if (await listensAt(http, port)) return;
  }
  await once(http.listen(0, HOST), 'listening');
}

async function listensAt(http: Server, port: number): Promise<boolean> {
  try {
    await once(http.listen(port, HOST), 'listening');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
}

interface Served {
  readonly api: InspectorApi;
  readonly files: ReadonlyMap<string, PageFile>;
  readonly token: string;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { api, files, token }: Served,
): Promise<void> {
  const { headers, method, url = '/' } = request;
  for (const [name, value] of Object.entries(SAFETY_HEADERS)) response.setHeader(name, value);
  const [path = '/'] = url.split('?', 1);
  const file = method === 'GET' || method === 'HEAD' ? files.get(path) : undefined;
  const sender = comesFromTunnel(request) ? { status: 403, text: 'a tunnel leads here\n' } : refusalOfSender(headers);
  // The files say nothing.
  const refusal = sender ?? (file ? undefined : refusalOfToken(headers, token));
  if (refusal) {
    say(response, refusal.status, refusal.text);
  } else if (file) {
    say(response, 200, file.text, file.type);
  } else {
    await api.answer(request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else say(response, 500, 'that failed\n');
    });
  }
}

/** A service of one of this process's tunnels is the inspector itself. */
function comesFromTunnel({ socket }: IncomingMessage): boolean {
  const { remoteAddress: address, remotePort: port, localAddress: destination, localPort: destinationPort } = socket;
  if (address === undefined || port === undefined || destination === undefined || destinationPort === undefined)
    return true;
  return ownConnections.has({ address, port, destination, destinationPort });
}
