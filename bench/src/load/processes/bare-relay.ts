// What Node needs to forward bytes and nothing else: no encryption, no session, no protocol.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { freeMemory } from '@tunnel/shared/node';
import { serveCalls } from '../calls.ts';

function forward(from: Socket, to: Socket): void {
  from.on('data', (chunk: Buffer) => {
    if (!to.write(chunk, () => freeMemory(chunk))) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', () => to.end());
  // Visitors that break off are the rule here.
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroySoon());
}

const calls = {
  /** Forwards to a loopback port; returns where it listens. */
  async open({ targetPort }: { targetPort: number }): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (visitor) => {
      const service = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      forward(visitor, service);
      forward(service, visitor);
    });
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
};

export type BareRelayCalls = typeof calls;

serveCalls(calls);
