// A web service that does nothing else: short answers, and bodies of any length.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveCalls } from '../calls.ts';

const ANSWER = 'hello, world';
const CHUNK = Buffer.alloc(64 * 1024, 'x');

function sendBytes(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { 'Content-Length': bytes });
  let left = bytes;
  const send = (): void => {
    while (left > 0) {
      const part = CHUNK.subarray(0, Math.min(left, CHUNK.length));
      left -= part.length;
      if (!response.write(part)) {
        response.once('drain', send);
        return;
      }
    }
    response.end();
  };
  send();
}

const calls = {
  /** Returns where it listens. `/BYTES` has a body of so many bytes. */
  async listen(): Promise<number> {
    const server = createServer((request, response) => {
      const bytes = Number(request.url?.slice(1));
      if (bytes > 0) {
        sendBytes(response, bytes);
        return;
      }
      response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': ANSWER.length });
      response.end(ANSWER);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
};

export type HttpServiceCalls = typeof calls;

serveCalls(calls);
