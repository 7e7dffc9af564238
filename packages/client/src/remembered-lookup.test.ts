import type { lookup as dnsLookup } from 'node:dns';
import { createServer, connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { rememberedLookup } from './remembered-lookup.ts';

/** A resolver that gives these answers, one after another; an Error is one, too. */
function resolver(...answers: readonly (string | Error)[]): { readonly lookup: typeof dnsLookup; asked: number } {
  const state = {
    asked: 0,
    lookup: ((_host: string, _options: object, callback: (...args: unknown[]) => void) => {
      const answer = answers[state.asked++];
      if (answer instanceof Error) callback(answer);
      else callback(null, [{ address: answer, family: 4 }]);
    }) as unknown as typeof dnsLookup,
  };
  return state;
}

function ask(lookup: ReturnType<typeof rememberedLookup>): Promise<unknown> {
  return new Promise((resolve) => lookup('box', { all: true }, (error, addresses) => resolve(error ?? addresses)));
}

test('an answer is used for five seconds, and an error once', async () => {
  let now = 1000;
  const failure = new Error('EAI_AGAIN');
  const system = resolver('10.0.0.1', failure, '10.0.0.2');
  const lookup = rememberedLookup(system.lookup, () => now);
  expect(await ask(lookup)).toEqual([{ address: '10.0.0.1', family: 4 }]);
  now += 4_999;
  expect(await ask(lookup)).toEqual([{ address: '10.0.0.1', family: 4 }]);
  expect(system.asked).toBe(1);
  now += 1;
  expect(await ask(lookup)).toBe(failure);
  expect(await ask(lookup)).toEqual([{ address: '10.0.0.2', family: 4 }]);
  expect(system.asked).toBe(3);
});

test('does for net.connect, with and without several addresses to try', async () => {
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const lookup = rememberedLookup();
  for (const autoSelectFamily of [true, false, true]) {
    const socket = connect({ host: 'localhost', port, lookup, autoSelectFamily, family: autoSelectFamily ? 0 : 4 });
    await once(socket, 'connect');
    expect(socket.remotePort).toBe(port);
    socket.destroy();
  }
  server.close();
});
