import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Refusal } from './refusals.ts';
import type { VisitorRequest } from './visitor-request.ts';

const TEXT = 'text/plain; charset=utf-8';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The server's own answer to a visitor, in a form that the visitor asks for. Nothing of the request is in it. */
export function answerTo({ headers }: Pick<IncomingMessage, 'headers'>, refusal: Refusal): Answer {
  const { status, code, words } = refusal;
  const accept = headers.accept ?? '';
  const common = { 'Tunnel-Error': code, 'Cache-Control': 'no-store', ...refusal.headers };
  if ((headers['content-type'] ?? '').startsWith('application/grpc')) {
    // gRPC reads its status from headers: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
    const grpc = {
      'Content-Type': 'application/grpc',
      'grpc-status': GRPC_STATUS[status] ?? '14',
      'grpc-message': encodeURIComponent(words),
    };
    return { status: 200, headers: { ...common, ...grpc }, body: '' };
  }
  if (accept.includes('text/html')) {
    const policy = "default-src 'none'; style-src 'unsafe-inline'";
    return {
      status,
      headers: { ...common, 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy },
      body: page(status, code, words),
    };
  }
  if (/\bjson\b/.test(accept)) {
    const body = `${JSON.stringify({ status, code, message: words })}\n`;
    return { status, headers: { ...common, 'Content-Type': 'application/json' }, body };
  }
  return { status, headers: { ...common, 'Content-Type': TEXT }, body: `${words}\n` };
}

/** After these another reader might find the next request elsewhere. */
const IN_DOUBT: ReadonlySet<number> = new Set([400, 405, 408, 431]);

/** Answers, and closes the connection if the request has a body that nobody reads, or is not in order. */
export function sendAnswer(visitor: VisitorRequest, refusal: Refusal): void {
  const { status, headers, body } = answerTo(visitor, refusal);
  const { 'content-length': length, 'transfer-encoding': coding } = visitor.headers;
  const closes = length !== undefined || coding !== undefined || IN_DOUBT.has(status);
  visitor.sendOwn(status, { ...headers, 'Content-Length': String(Buffer.byteLength(body)) }, body, closes);
}

/** The same as bytes, for a connection that no HTTP server reads any more. It is to be closed after them. */
export function rawAnswer(request: Pick<IncomingMessage, 'headers'>, refusal: Refusal): string {
  const { status, headers, body } = answerTo(request, refusal);
  const lines = Object.entries({ ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head}\r\n${body}`;
}

/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
const GRPC_STATUS: Readonly<Record<number, string>> = { 400: '13', 401: '16', 403: '7', 404: '12', 429: '14' };

function page(status: number, code: string, words: string): string {
  const title = `${status} ${STATUS_CODES[status] ?? ''}`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 36rem; margin: 15vh auto; padding: 0 1rem }
code { opacity: .7 }
</style>
<h1>${title}</h1>
<p>${words}</p>
<p><code>${code}</code></p>
</html>
`;
}
