import { Claims, MemoryRegistry, TunnelError } from '@tunnel/shared';
import { beforeEach, describe, expect, test } from 'vitest';
import { Access } from '../../access/access.ts';
import { type AuthorizedKey, AuthorizedKeys } from '../../access/authorized-keys.ts';
import { HostBounds } from '../../access/host-bounds.ts';
import { HostPolicy } from '../../access/host-policy.ts';
import { type EndpointHolder, Endpoints } from '../endpoints.ts';
import { DerivedLabels } from './derived-labels.ts';
import { HostTable } from './host-table.ts';
import { HttpHosts } from './http-hosts.ts';

const IDENTITY = new Uint8Array(32).fill(7);
const HTTP = 2;

/** What a server is started with. */
interface Setup {
  readonly domain?: string | undefined;
  readonly allowed?: readonly string[];
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
    const { domain = 'example.org', allowed = [], publicHost, keys = [] } = setup;
    this.registry = registry;
    this.list(keys);
    const bounds = new HostBounds({ domain: 'domain' in setup ? setup.domain : domain, allowed, publicHost });
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

describe('a host that is asked for', () => {
  test('is a label below the domain, or the whole name, in one spelling', async () => {
    const server = new Server();
    const endpoint = await server.endpoints.open(HTTP, 'shop', session('anna'));
    expect([endpoint.name, endpoint.addresses]).toEqual([
      'shop.example.org',
      ['https://shop.example.org:443', 'http://shop.example.org:80'],
    ]);
    expect(await server.name('API.example.ORG.', session('anna'))).toBe('api.example.org');
    expect(server.table.find('shop.example.org')).toBeDefined();
    endpoint.close();
    expect(server.table.find('shop.example.org')).toBeUndefined();
  });
});
