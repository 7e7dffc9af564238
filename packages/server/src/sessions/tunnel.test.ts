import type { SessionDriver } from '@tunnel/shared/node';
import { expect, test, vi } from 'vitest';
import type { GrantedEndpoint } from '../endpoints/endpoints.ts';
import { Lobby } from '../visitors/lobby.ts';
import { VisitorGate } from '../visitors/visitor-gate.ts';
import { Tunnel } from './tunnel.ts';

test('of a visitor that waited for a link it is still known which tunnel was closed meanwhile', async () => {
  const refused = vi.fn<(name: string | undefined, code: string) => void>();
  const tunnel = new Tunnel(1, 'shop', new VisitorGate(), {
    driver: { hasLink: false, sendNotice: () => {} } as unknown as SessionDriver,
    lobby: new Lobby(),
    takesVisitors: () => true,
    onVisitor: () => {},
    onRefused: ({ lastEndpoint }, code) => refused(lastEndpoint?.name, code),
  });
  const endpoint: GrantedEndpoint = {
    name: 'shop.tunnel.example.org',
    addresses: ['http://shop.tunnel.example.org'],
    codes: { notAllowed: 'host-not-allowed', taken: 'host-in-use', unavailable: 'host-unavailable' },
    refusal: undefined,
    close: () => {},
  };
  tunnel.opened(endpoint);
  const visit = tunnel.enter('192.0.2.1');
  if (typeof visit === 'string') throw new Error(visit);
  const linked = visit.linked();
  expect(tunnel.close()).toBe(endpoint);
  expect(await linked).toBe('session-lost');
  // Somebody else may have the name by now.
  expect(refused).not.toHaveBeenCalled();
  visit.turnedAway('session-lost');
  expect(refused.mock.calls).toEqual([['shop.tunnel.example.org', 'session-lost']]);
  expect(tunnel.endpoint).toBeUndefined();
});
