import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  request,
  type RequestOptions,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** A local web service. */
export interface HttpService extends AsyncDisposable {
  readonly port: number;
  readonly http: Server;
}

/** Listens at a free port of loopback. */
export async function startHttpService(
  onRequest: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<HttpService> {
  const http = createServer((asked, response) => void onRequest(asked, response));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  const close = async (): Promise<void> => {
    http.close();
    http.closeAllConnections();
  };
  return { port, http, [Symbol.asyncDispose]: close };
}

/** Sends a request to a name of a server on this machine, and resolves once the answer is whole. */
export async function visitHost(
  serverPort: number,
  url: string,
  options: RequestOptions = {},
  body: string | Buffer = '',
): Promise<IncomingMessage> {
  const { host, pathname, search } = new URL(url);
  const headers = { host, ...(options.headers as Record<string, string>) };
  const where = { host: '127.0.0.1', port: serverPort, path: options.path ?? pathname + search, agent: false };
  const [answer] = (await once(request({ ...options, ...where, headers }).end(body), 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  return answer;
}
