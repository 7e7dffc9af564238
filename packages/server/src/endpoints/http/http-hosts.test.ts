import { Claims, MemoryRegistry, TunnelError } from '@tunnel/shared';
import { beforeEach, describe, expect, test } from 'vitest';
import { Access } from '../../access/access.ts';
import { type AuthorizedKey, AuthorizedKeys } from '../../access/authorized-keys.ts';
import { HostBounds } from '../../access/host-bounds.ts';
import { HostPolicy } from '../../access/host-policy.ts';
import { EndpointRefusal } from '../endpoint-refusal.ts';
import { type EndpointHolder, Endpoints } from '../endpoints.ts';
import { DerivedLabels } from './derived-labels.ts';
import { HostTable } from './host-table.ts';
import { HttpHosts } from './http-hosts.ts';

const IDENTITY = new Uint8Array(32).fill(7);
const HTTP = 2;

/** What a server is started with. */
interface Setup {
  readonly domain?: string | undefined;
  readonly allowHosts?: readonly string[];
  readonly publicHost?: string;
  readonly keys?: readonly (Partial<AuthorizedKey> & Pick<AuthorizedKey, 'publicKey'>)[];
}

class Server {
  readonly table = new HostTable();
  readonly access = new Access('secret', []);
  readonly registry: MemoryRegistry;
  readonly endpoints: Endpoints;
  nowMs = 1_000;
  #nonceCount = 0;

  constructor(setup: Setup = {}, registry = new MemoryRegistry(), keptUntil = 0) {
    const { domain = 'example.org', allowHosts = [], publicHost, keys = [] } = setup;
    this.registry = registry;
    this.list(keys);
    const bounds = new HostBounds({ domain: 'domain' in setup ? setup.domain : domain, allowHosts, publicHost });
    const kind = new HttpHosts({
      table: this.table,
      policy: new HostPolicy(this.access, bounds),
      labels: new DerivedLabels(IDENTITY),
      addressesOf: (host) => [`https://${host}:443`, `http://${host}:80`],
    });
    const claims = new Claims({
      registry,
      kinds: [kind.prefix],
      nonce: () => `${(this.#nonceCount += 1)}`,
      onLost: () => {},
    });
    this.endpoints = new Endpoints({
      kinds: [kind],
      claims,
      tunnelLimitOf: (clientKey) => this.access.entryOf(clientKey)?.tunnels ?? Infinity,
      keptUntil,
      monotonicNow: () => this.nowMs,
      wallNow: () => this.nowMs,
    });
  }

  list(keys: NonNullable<Setup['keys']>): void {
    this.access.keys = new AuthorizedKeys(keys.map((key) => ({ comment: '', reserved: [], ...key })));
  }

  async name(wanted: string, holder: EndpointHolder): Promise<string> {
    return (await this.endpoints.open(HTTP, wanted, holder)).name;
  }

  /** The code and detail of a refusal, or `granted`. */
  async refusal(wanted: string, holder: EndpointHolder): Promise<string> {
    try {
      await this.endpoints.open(HTTP, wanted, holder);
    } catch (error) {
      if (error instanceof TunnelError) return `${error.code}: ${error.detail}`;
      throw error;
    }
    return 'granted';
  }
}

let sessionCount: number;
beforeEach(() => {
  sessionCount = 0;
});

type Session = EndpointHolder & { readonly lost: string[] };

/** A tunnel of a session of its own. */
function session(clientKey: string, has: Partial<EndpointHolder> = {}): Session {
  const lost: string[] = [];
  return {
    clientKey,
    label: 'localhost:3000',
    share: clientKey,
    holder: `session ${(sessionCount += 1)}`,
    hasLink: true,
    isLocal: false,
    answers: async () => true,
    giveUp: (code) => void lost.push(code),
    terms: [],
    enter: () => 'gone',
    onUnusable: () => {},
    lost,
    ...has,
  };
}

/** As `keptUntil`: names are kept for who had them. */
const JUST_STARTED = 2_000;

describe('a host that is asked for', () => {
  test('is a label below the domain, or the whole name, in one spelling', async () => {
    const server = new Server();
    const endpoint = await server.endpoints.open(HTTP, 'shop', session('anna'));
    expect([endpoint.name, endpoint.addresses]).toEqual([
      'shop.example.org',
      ['https://shop.example.org:443', 'http://shop.example.org:80'],
    ]);
    expect(await server.name('API.example.ORG.', session('anna'))).toBe('api.example.org');
    expect(await server.name('3000', session('anna'))).toBe('3000.example.org');
    expect(server.table.find('shop.example.org')).toBeDefined();
    endpoint.close();
    expect(server.table.find('shop.example.org')).toBeUndefined();
  });

  test.each([
    ['a b', 'a b: not a host name'],
    ['-shop', '-shop: not a host name'],
    ['*', '*: not a host name'],
    ['shop/', 'shop/: not a host name'],
    ['10.0.0.1', '10.0.0.1: an IP address is not a host name'],
    ['shop..example.org', 'shop..example.org: a host name has no empty parts'],
    ['x'.repeat(64), `${'x'.repeat(64)}: a part of a host name has at most 63 characters`],
  ])('that is none is not understood: %s', async (wanted, detail) => {
    expect(await new Server().refusal(wanted, session('anna'))).toBe(`terms-refused: ${detail}`);
  });

  test.each([
    ['example.org', "example.org is the server's own name"],
    ['tunnel.example.org', "tunnel.example.org is the server's own name"],
    ['localhost.', "localhost is the server's own name"],
    ['shop.example.net', 'shop.example.net; this server grants *.example.org, *.shops.net, www.example.com'],
    ['a.b.example.org', 'a.b.example.org; this server grants *.example.org, *.shops.net, www.example.com'],
    ['shops.net', 'shops.net; this server grants *.example.org, *.shops.net, www.example.com'],
    ['anexample.org', 'anexample.org; this server grants *.example.org, *.shops.net, www.example.com'],
  ])('must be one that the server grants: %s is not', async (wanted, detail) => {
    const server = new Server({ allowHosts: ['*.shops.net', 'www.example.com'], publicHost: 'tunnel.example.org' });
    expect(await server.refusal(wanted, session('anna'))).toBe(`host-not-allowed: ${detail}`);
    expect(await server.name('a.shops.net', session('anna'))).toBe('a.shops.net');
    expect(await server.name('www.example.com', session('anna'))).toBe('www.example.com');
  });

  test('needs a domain if it is a label', async () => {
    const detail = 'this server has no domain for HTTP tunnels; start it with --domain';
    const none = new Server({ domain: undefined });
    expect(await none.refusal('shop', session('anna'))).toBe(`host-not-allowed: shop; ${detail}`);
    expect(await none.refusal('shop.example.org', session('anna'))).toBe(
      `host-not-allowed: shop.example.org; ${detail}`,
    );
    const some = new Server({ domain: undefined, allowHosts: ['shop.example.org'] });
    expect(await some.refusal('shop', session('anna'))).toBe(`host-not-allowed: shop; ${detail}`);
    expect(await some.name('shop.example.org', session('anna'))).toBe('shop.example.org');
  });

  test('below localhost is for clients on the same machine', async () => {
    const server = new Server({ domain: 'localhost' });
    const detail =
      "names below localhost are for clients on the server's own machine; start the server with --domain for others";
    expect(await server.refusal('shop', session('anna'))).toBe(`host-not-allowed: shop.localhost; ${detail}`);
    expect(await server.refusal('', session('anna'))).toBe(`host-not-allowed: ${detail}`);
    expect(await server.name('shop', session('anna', { isLocal: true }))).toBe('shop.localhost');
    expect(await server.name('', session('anna', { isLocal: true }))).toMatch(/^web-[a-z2-7]{10}\.localhost$/);
    const mixed = new Server({ domain: 'localhost', allowHosts: ['*.example.org'] });
    expect(await mixed.name('', session('anna'))).toMatch(/^web-[a-z2-7]{10}\.example\.org$/);
  });
});

describe('a tunnel that asks for no host', () => {
  test('gets one of its own, the same from a server that remembers nothing', async () => {
    const names = [];
    for (const server of [new Server(), new Server()]) {
      for (const label of [
        'localhost:3000',
        'localhost:3001',
        'Shop',
        'xn--shop',
        'a-b',
        '3000',
        'é',
        'x'.repeat(53),
      ]) {
        names.push(await server.name('', session('anna', { label })));
      }
    }
    const [first, second] = [names.slice(0, 8), names.slice(8)];
    expect(second).toEqual(first);
    expect(new Set(first).size).toBe(8);
    expect(first.map((name) => name.replace(/-[a-z2-7]{10}\.example\.org$/, ''))).toEqual([
      'web',
      'web',
      'shop',
      'web',
      'a-b',
      'web',
      'web',
      'web',
    ]);
  });

  test('gets another one than those of other clients, and than at other servers', async () => {
    const server = new Server();
    const own = await server.name('', session('anna'));
    expect(await server.name('', session('ben'))).not.toBe(own);
    const labels = [IDENTITY, new Uint8Array(32).fill(8)].map((key) =>
      new DerivedLabels(key).labelFor('anna', 'web', 0),
    );
    expect(new Set(labels).size).toBe(2);
  });

  test('gets the next one while another process has the first, and the first from one without a link', async () => {
    const server = new Server();
    const one = session('anna');
    const first = await server.name('', one);
    const second = await server.name('', session('anna'));
    expect(second).not.toBe(first);
    const gone = { ...one, hasLink: false };
    const fresh = new Server();
    expect(await fresh.name('', gone)).toBe(first);
    expect(await fresh.name('', session('anna'))).toBe(first);
    expect(one.lost).toEqual(['host-in-use']);
  });

  test('gets its own one and not what it asked for before', async () => {
    const server = new Server();
    (await server.endpoints.open(HTTP, 'shop', session('anna'))).close();
    expect(await server.name('', session('anna'))).toMatch(/^web-/);
  });

  test('gets a reserved one first, then one of its list', async () => {
    const keys = [
      {
        publicKey: 'anna',
        reservedHosts: ['a.example.org', 'b.example.org'],
        hosts: ['c.example.org', '*.anna.example.org'],
      },
      { publicKey: 'ben', hosts: ['d.example.org', 'e.example.org'] },
    ];
    const server = new Server({ keys });
    const b = await server.endpoints.open(HTTP, 'b.example.org', session('anna'));
    b.close();
    const names = [];
    for (let count = 0; count < 3; count += 1)
      names.push(await server.name('', session('anna', { label: 'localhost:3000' })));
    expect(names).toEqual([
      'b.example.org',
      'a.example.org',
      expect.stringMatching(/^web-[a-z2-7]{10}\.anna\.example\.org$/),
    ]);
    expect([await server.name('', session('ben')), await server.name('', session('ben'))]).toEqual([
      'd.example.org',
      'e.example.org',
    ]);
    expect(await server.refusal('', session('ben'))).toBe(
      'host-unavailable: no free name among d.example.org, e.example.org',
    );
  });

  test('gets none from a server without a domain', async () => {
    expect(await new Server({ domain: undefined }).refusal('', session('anna'))).toBe(
      'host-not-allowed: this server has no domain for HTTP tunnels; start it with --domain',
    );
    expect(await new Server({ domain: undefined, allowHosts: ['shop.example.org'] }).refusal('', session('anna'))).toBe(
      'host-not-allowed: this server has no domain for HTTP tunnels; start it with --domain',
    );
  });
});

describe('authorized keys', () => {
  const keys = [
    { publicKey: 'anna', hosts: ['shop.example.org', '*.anna.example.org'], tunnels: 2 },
    { publicKey: 'ben', reservedHosts: ['ben.example.org'] },
  ];

  test('say what a key may have', async () => {
    const server = new Server({ keys });
    expect(await server.refusal('api', session('anna'))).toBe(
      'host-not-allowed: api.example.org; this key may have shop.example.org, *.anna.example.org',
    );
    expect(await server.name('shop', session('anna'))).toBe('shop.example.org');
    expect(await server.name('x.anna.example.org', session('anna'))).toBe('x.anna.example.org');
    expect(await server.refusal('y.anna.example.org', session('anna'))).toContain('tunnel-limit');
  });

  test('reserve names: nobody else gets one, listed or not', async () => {
    const server = new Server({ keys });
    for (const other of ['anna', 'somebody']) {
      expect(await server.refusal('ben', session(other))).toBe(
        'host-not-allowed: ben.example.org is reserved for another client',
      );
    }
    expect(await server.name('ben', session('ben'))).toBe('ben.example.org');
    expect(await server.name('api', session('ben'))).toBe('api.example.org');
  });

  test('that change take names away', async () => {
    const server = new Server({ keys });
    const shop = await server.endpoints.open(HTTP, 'shop', session('anna'));
    const api = await server.endpoints.open(HTTP, 'api', session('carl'));
    expect([shop.refusal, api.refusal]).toEqual([undefined, undefined]);
    server.list([{ publicKey: 'anna', reservedHosts: ['api.example.org'], hosts: ['x.example.org'] }]);
    expect(shop.refusal?.message).toContain('shop.example.org; this key may have x.example.org, api.example.org');
    expect(api.refusal?.message).toContain('api.example.org is reserved for another client');
  });

  test('give nothing that the server does not', async () => {
    const outside = [
      { publicKey: 'anna', hosts: ['shop.example.net', 'example.org'], reservedHosts: ['shop.example.net'] },
    ];
    const server = new Server({ keys: outside });
    expect(await server.refusal('shop.example.net', session('anna'))).toBe(
      'host-not-allowed: shop.example.net; this server grants *.example.org',
    );
    expect(await server.refusal('example.org', session('anna'))).toBe(
      "host-not-allowed: example.org is the server's own name",
    );
    expect(await server.refusal('', session('anna'))).toContain('host-unavailable');
  });
});

describe('a host that somebody has', () => {
  test('stays with another client, whether it answers or not', async () => {
    const server = new Server();
    const before = session('anna', { hasLink: false, answers: async () => false });
    await server.name('shop', before);
    const refusal: unknown = await server.endpoints.open(HTTP, 'shop', session('ben')).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(EndpointRefusal);
    expect(refusal).toMatchObject({ code: 'host-in-use', detail: 'shop.example.org, by somebody else' });
    expect(refusal).toMatchObject({ forOperator: 'the host name is in use: shop.example.org, by another client' });
    expect(before.lost).toEqual([]);
  });

  test('stays with another process of the same client that answers', async () => {
    const server = new Server();
    await server.name('shop', session('anna'));
    expect(await server.refusal('shop', session('anna'))).toBe(
      "host-in-use: shop.example.org, by another tunnel with this client's key",
    );
  });

  test.each([{ hasLink: false }, { answers: async () => false }])(
    'goes over from one that does not: %j',
    async (has) => {
      const server = new Server();
      const before = session('anna', { ...has, enter: () => 'tunnel-closed' });
      const given = await server.endpoints.open(HTTP, 'shop', before);
      const terms = [{ term: 'max-connections', limit: 1 }] as const;
      const after = session('anna', { terms, enter: () => 'visitor-limit' });
      const taken = await server.endpoints.open(HTTP, 'shop', after);
      expect(taken).toMatchObject({ name: 'shop.example.org', addresses: given.addresses });
      expect(before.lost).toEqual(['host-in-use']);
      given.close();
      const handlers = server.table.find('shop.example.org');
      expect([handlers?.terms, handlers?.enter('192.0.2.1')]).toEqual([terms, 'visitor-limit']);
      taken.close();
      expect(server.table.find('shop.example.org')).toBeUndefined();
    },
  );

  test('goes to one of two that ask at the same time', async () => {
    const server = new Server();
    const outcomes = await Promise.all([
      server.refusal('shop', session('anna')),
      server.refusal('shop', session('ben')),
    ]);
    expect(outcomes).toEqual(['granted', 'host-in-use: shop.example.org, by somebody else']);
    expect(server.table.find('shop.example.org')).toBeDefined();
  });

  test('is free once it is given back', async () => {
    const server = new Server();
    (await server.endpoints.open(HTTP, 'shop', session('anna'))).close();
    expect(await server.name('shop', session('ben'))).toBe('shop.example.org');
  });
});

describe('after a start of the server', () => {
  /** What a server remembers on which `anna` had these hosts. */
  async function rememberedFrom(...hosts: readonly string[]): Promise<MemoryRegistry> {
    const server = new Server();
    for (const [index, host] of hosts.entries()) {
      (await server.endpoints.open(HTTP, host, session('anna', { label: `tunnel ${index}` }))).close();
    }
    return server.registry;
  }

  test('a host is kept for who had it, for a while', async () => {
    const server = new Server({}, await rememberedFrom('shop'), JUST_STARTED);
    expect(await server.refusal('shop', session('ben'))).toBe(
      'host-in-use: shop.example.org is kept for a while for the client that had it last',
    );
    server.nowMs = JUST_STARTED;
    expect(await server.name('shop', session('ben'))).toBe('shop.example.org');
  });

  test('it goes back to who had it', async () => {
    const server = new Server({}, await rememberedFrom('shop'), JUST_STARTED);
    expect(await server.name('shop', session('anna', { label: 'another' }))).toBe('shop.example.org');
  });

  test('it is not kept from whom it is reserved for', async () => {
    const keys = [{ publicKey: 'ben', reservedHosts: ['shop.example.org'] }];
    const server = new Server({ keys }, await rememberedFrom('shop'), JUST_STARTED);
    expect(await server.name('', session('ben'))).toBe('shop.example.org');
  });

  test('a listed one that is kept is not given to who asks for any', async () => {
    const keys = [{ publicKey: 'ben', hosts: ['shop.example.org', 'api.example.org'] }];
    const server = new Server({ keys }, await rememberedFrom('shop', 'api'), JUST_STARTED);
    expect(await server.refusal('', session('ben'))).toBe(
      'host-unavailable: no free name among shop.example.org, api.example.org but those kept for a while for the clients that had them',
    );
  });
});
