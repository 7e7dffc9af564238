// What Node needs to forward requests and nothing else.
import { once } from 'node:events';
import { Agent, createServer, request as startRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveCalls } from '../calls.ts';

const calls = {
  /** Forwards to a loopback port; returns where it listens. */
  async open({ targetPort }: { targetPort: number }): Promise<number> {
    const agent = new Agent({ keepAlive: true });
    const server = createServer((request, response) => {
      const { url, method, headers } = request;
      const options = { host: '127.0.0.1', port: targetPort, path: url, method, headers, agent };
      const upstream = startRequest(options, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      upstream.on('error', () => response.destroy());
      request.pipe(upstream);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
};

export type HttpProxyCalls = typeof calls;

serveCalls(calls);
