import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { deleteCookie, getSignedCookie, setSignedCookie } from 'hono/cookie';
import { csrf } from 'hono/csrf';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { WebSocketServer } from 'ws';
import { TcpService } from './tcp-service.ts';

const COOKIE_SECRET = 'signs the cookies of a test';
const COOKIE = { httpOnly: true, sameSite: 'Lax', path: '/' } as const;

/** What a WebSocket says to be closed; everything else is sent back. */
const CLOSE = Buffer.from('close');

const SOCKET_PAGE = `<pre id="log"></pre><script>
  const log = (line) => document.querySelector('#log').append(line + '\\n');
  const bytes = new Uint8Array(1024 * 1024);
  for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  const socket = new WebSocket('ws://' + location.host + '/socket');
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => ['text, and more: ü', bytes, 'close'].forEach((message) => socket.send(message));
  socket.onmessage = ({ data }) =>
    log(typeof data === 'string' ? data : String(new Uint8Array(data).every((byte, at) => byte === bytes[at])) + ' ' + data.byteLength);
  socket.onclose = ({ code, reason, wasClean }) => log(['closed', code, reason, wasClean].join(' '));
</script>`;

const EVENTS_PAGE = `<pre id="log"></pre><script>
  new EventSource('/events/stream').onmessage = ({ data }) => document.querySelector('#log').append(data + '\\n');
</script>`;

/** A web application with what browsers need a server for, in a framework that refuses forms of a foreign Origin. */
export interface WebApplication extends AsyncDisposable {
  readonly port: number;
  /** The files that came in forms. */
  readonly uploads: readonly File[];
  /** What browsers said they had seen last, for each event stream that they asked for. */
  readonly lastEventIds: readonly (string | undefined)[];
  /** Sends a server-sent event on all open streams. */
  publish(id: string, data: string): Promise<void>;
  /** Ends all open event streams, as a service does that restarts. */
  endStreams(): void;
}

/** Pages: `/` behind `/login`, `/upload`, `/socket` (a WebSocket too), `/events`, `/form`. On a free port of loopback. */
export async function startWebApplication(): Promise<WebApplication> {
  const uploads: File[] = [];
  const lastEventIds: (string | undefined)[] = [];
  const streams = new Map<SSEStreamingApi, () => void>();
  const app = new Hono();
  app.use(csrf());

  app.get('/', async (c) => {
    const user = await getSignedCookie(c, COOKIE_SECRET, 'user');
    if (typeof user !== 'string') return c.redirect(absolute(c, '/login'));
    return c.html(`<h1>hello ${user}</h1><form method="post" action="/logout"><button>leave</button></form>`);
  });
  app.get('/login', (c) =>
    c.html(
      `<form method="post"><input name="user"><input name="password" type="password"><button>enter</button></form>`,
    ),
  );
  app.post('/login', async (c) => {
    const { user, password } = await c.req.parseBody();
    if (user !== 'anna' || password !== 'pass & word') return c.html('<h1>wrong</h1>', 403);
    await setSignedCookie(c, 'user', user, COOKIE_SECRET, COOKIE);
    await setSignedCookie(c, 'theme', 'dark', COOKIE_SECRET, COOKIE);
    return c.redirect(absolute(c, '/'), 303);
  });
  app.post('/logout', (c) => {
    deleteCookie(c, 'user', COOKIE);
    return c.redirect(absolute(c, '/'), 303);
  });

  app.get('/upload', (c) =>
    c.html(`<form method="post" enctype="multipart/form-data">
      <input name="words"><input name="file" type="file"><button>send</button></form>`),
  );
  app.post('/upload', async (c) => {
    const { words, file } = await c.req.parseBody();
    if (file instanceof File) uploads.push(file);
    return c.html(`<h1>${typeof words === 'string' ? words : ''}</h1>`);
  });

  app.get('/socket', (c) => c.html(SOCKET_PAGE));

  app.get('/events', (c) => c.html(EVENTS_PAGE));
  app.get('/events/stream', (c) =>
    streamSSE(c, async (stream) => {
      await stream.write('retry: 10\n\n');
      await new Promise<void>((resolve) => {
        streams.set(stream, resolve);
        stream.onAbort(resolve);
        lastEventIds.push(c.req.header('Last-Event-ID'));
      });
      streams.delete(stream);
    }),
  );

  app.get('/form', (c) =>
    c.html(`<form method="post" action="${c.req.query('to') ?? ''}"><button>send</button></form>`),
  );
  const forwardedRule = csrf({ origin: isForwardedOrigin });
  app.use('/form', (c, next) => (c.req.query('rule') === 'forwarded' ? forwardedRule(c, next) : next()));
  app.post('/form', (c) => c.text(`taken for ${new URL(c.req.url).host}`));

  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  const webSockets = new WebSocketServer({ server, path: '/socket', perMessageDeflate: true });
  webSockets.on('connection', (webSocket) => {
    webSocket.on('error', () => {});
    webSocket.on('message', (data, isBinary) => {
      if (!isBinary && (data as Buffer).equals(CLOSE)) webSocket.close(4001, 'as you wish');
      else webSocket.send(data, { binary: isBinary });
    });
  });
  const service = await TcpService.start(server, {});
  return {
    port: service.port,
    uploads,
    lastEventIds,
    publish: async (id, data) => {
      for (const stream of streams.keys()) await stream.writeSSE({ id, data });
    },
    endStreams: () => {
      for (const end of streams.values()) end();
    },
    [Symbol.asyncDispose]: () => service.close(),
  };
}

/** What Rails asks, and Next.js without the scheme: they know that a proxy in front may have changed Host. */
function isForwardedOrigin(origin: string, { req }: Context): boolean {
  const scheme = req.header('X-Forwarded-Proto') ?? 'http';
  const host = req.header('X-Forwarded-Host')?.split(/,\s*/).at(-1) ?? req.header('Host');
  return origin === `${scheme}://${host}`;
}

/** As the application believes that it is reached. */
function absolute(c: Context, path: string): string {
  return new URL(path, c.req.url).href;
}
