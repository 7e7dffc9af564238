import { describe, expect, test } from 'vitest';
import { addressForClients, type ServerWhereabouts } from './client-address.ts';

const SERVER: ServerWhereabouts = {
  host: undefined,
  port: 7835,
  publicHost: undefined,
  domain: undefined,
  ownName: 'vm',
  certificateNames: undefined,
};

function address(server: Partial<ServerWhereabouts>): readonly [string, string | undefined] {
  const { to, note } = addressForClients({ ...SERVER, ...server });
  return [to, note];
}

describe('without TLS', () => {
  const unknown = "where that name is not known, put this machine's address there";

  test.each<[Partial<ServerWhereabouts>, string, string | undefined]>([
    [{}, 'vm', unknown],
    [{ host: '::' }, 'vm', unknown],
    [{ port: 7000 }, 'vm:7000', unknown],
    [{ publicHost: 'tunnel.example.org' }, 'tunnel.example.org', undefined],
    [{ domain: 'tunnel.example.org' }, 'tunnel.example.org', undefined],
    [{ domain: 'example.org', publicHost: '203.0.113.5' }, '203.0.113.5', undefined],
    [{ domain: 'localhost' }, 'vm', unknown],
    [{ host: '203.0.113.5' }, '203.0.113.5', undefined],
    [{ host: '2001:db8::1' }, '[2001:db8::1]:7835', undefined],
  ])('%j is at %s', (server, to, note) => {
    expect(address(server)).toEqual([to, note]);
  });

  test.each(['127.0.0.1', '::1', 'localhost'])('on %s only a proxy in front knows the address', (host) => {
    expect(address({ host })).toEqual(['wss://NAME', expect.stringContaining('reverse proxy') as string]);
    const publicHost = 'tunnel.example.org';
    expect(address({ host, publicHost })).toEqual([
      'wss://tunnel.example.org',
      expect.stringMatching(/reverse proxy.*path/) as string,
    ]);
  });
});

describe('with TLS the name is one of the certificate', () => {
  test.each<[Partial<ServerWhereabouts>, string, string | undefined]>([
    [{ certificateNames: ['tunnel.example.org', 'www.example.org'] }, 'wss://tunnel.example.org:7835', undefined],
    [{ certificateNames: ['tunnel.example.org'], port: 443 }, 'wss://tunnel.example.org', undefined],
    [{ certificateNames: ['tunnel.example.org'], host: '127.0.0.1' }, 'wss://tunnel.example.org:7835', undefined],
    [{ certificateNames: ['localhost', 'tunnel.example.org'] }, 'wss://tunnel.example.org:7835', undefined],
    [{ certificateNames: ['a.example', 'vm'] }, 'wss://vm:7835', undefined],
    [{ certificateNames: ['a.example', '203.0.113.5'], host: '203.0.113.5' }, 'wss://203.0.113.5:7835', undefined],
    [{ certificateNames: ['2001:DB8:0:0:0:0:0:1'], host: '2001:db8::1' }, 'wss://[2001:db8::1]:7835', undefined],
    [
      { certificateNames: ['*.example.org'], publicHost: 'tunnel.example.org' },
      'wss://tunnel.example.org:7835',
      undefined,
    ],
    [
      { certificateNames: ['tunnel.example.org'], publicHost: '203.0.113.5' },
      'wss://tunnel.example.org:7835',
      'the certificate is not for 203.0.113.5',
    ],
    [
      { certificateNames: ['*.tunnel.example.org', 'tunnel.example.org'], domain: 'tunnel.example.org' },
      'wss://tunnel.example.org:7835',
      undefined,
    ],
    [
      { certificateNames: ['*.example.org'] },
      'wss://NAME.example.org:7835',
      'the certificate is for *.example.org: put the name that leads here in place of NAME',
    ],
    // An asterisk stands for one label.
    [
      { certificateNames: ['*.example.org'], publicHost: 'a.b.example.org' },
      'wss://NAME.example.org:7835',
      'the certificate is for *.example.org: put the name that leads here in place of NAME',
    ],
    [{ certificateNames: ['localhost'] }, 'wss://localhost:7835', undefined],
    [
      { certificateNames: ['localhost'], publicHost: 'tunnel.example.org' },
      'wss://tunnel.example.org:7835',
      'the certificate is not for tunnel.example.org',
    ],
    [{ certificateNames: [] }, 'wss://NAME:7835', 'put the name that clients call this server by in place of NAME'],
  ])('%j is at %s', (server, to, note) => {
    expect(address(server)).toEqual([to, note]);
  });
});
