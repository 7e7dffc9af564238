import { ENDPOINT_KIND, formatPublicAddress, type TunnelRequestFrame } from '@tunnel/shared';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ServerAddress } from '../dial/address.ts';
import type { TunnelOptions } from '../options.ts';
import { TunnelSet } from '../tunnels/tunnel-set.ts';
import { type TunnelSender, UplinkTunnels } from './uplink-tunnels.ts';

type Sent = Parameters<TunnelSender['sendTunnelFrame']>[0];

const SERVER: ServerAddress = { secure: false, host: 'dialed.example', port: 7835, path: '/' };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function optionsFor(...ports: readonly number[]): readonly TunnelOptions[] {
  return ports.map((port) => ({ target: { host: '127.0.0.1', port } }));
}

/** The tunnels of an uplink without its link: what they send, and what they tell. */
function startTunnels(
  tunnels: readonly TunnelOptions[],
  {
    outlivesTunnels = false,
    rememberedPort,
    onRemember = () => {},
  }: { outlivesTunnels?: boolean; rememberedPort?: number; onRemember?: (name: string) => void } = {},
) {
  const ports = {
    recall: async () => ({ port: rememberedPort }),
    remember: async (_server: string, name: string) => onRemember(name),
  };
  const set = new TunnelSet(
    { tunnels, localWaitMs: 0, ports, looksAtTargets: false, server: 'dialed.example' },
    { onHealth: () => {}, onVisitorIdle: () => {}, onWarning: () => {} },
  );
  const told: string[] = [];
  const sent: Sent[] = [];
  const uplink = new UplinkTunnels(
    set,
    { server: SERVER, reconnect: true, outlivesTunnels, maxReconnectDelayMs: 1_000 },
    {
      onProgress: () => told.push('progress'),
      onClosed: () => told.push('closed'),
      onMoved: () => told.push('moved'),
      onRetrying: ({ code }) => told.push(`retrying ${code}`),
      onFatal: ({ code }) => told.push(`fatal ${code}`),
      onGivenUp: (_name, { code }) => told.push(`given up ${code}`),
      onVisitorsRefused: () => told.push('visitors refused'),
    },
  );
  const driver: TunnelSender = { sendTunnelFrame: (frame) => void sent.push(frame) };
  const requests = () => sent.filter((frame): frame is TunnelRequestFrame => frame.type === 'tunnel-request');
  const grant = (tunnelId: number, port: number, host = '') =>
    uplink.take({
      type: 'tunnel-granted',
      tunnelId,
      name: String(port),
      addresses: [formatPublicAddress({ scheme: 'tcp', host, port })],
    });
  const refuse = (tunnelId: number, code: string) =>
    uplink.take({ type: 'tunnel-refused', tunnelId, code, detail: '' });
  const close = (tunnelId: number, code: string) => uplink.take({ type: 'tunnel-close', tunnelId, code });
  return { set, uplink, driver, told, sent, requests, grant, refuse, close };
}

describe('the tunnels of an uplink', () => {
  test('are asked for in each session, the second time with the port that was granted', () => {
    const { uplink, driver, requests, grant } = startTunnels(optionsFor(3000));
    uplink.begin(driver);
    expect(requests().at(-1)).toMatchObject({ tunnelId: 1, name: '', label: '127.0.0.1:3000' });
    expect(grant(1, 40_000)).toBe(true);
    expect(uplink.open).toMatchObject([{ url: 'tcp://dialed.example:40000', port: 40_000 }]);
    uplink.lost();
    expect(uplink.areAllOpen).toBe(false);
    expect(uplink.status).toMatchObject([{ isOpen: false, url: 'tcp://dialed.example:40000' }]);
    uplink.begin(driver);
    expect(requests().at(-1)).toMatchObject({ name: '40000' });
  });

  test('refuse what the server may not say', () => {
    const { uplink, driver, grant, close } = startTunnels(optionsFor(3000));
    uplink.begin(driver);
    expect(close(1, 'stopped')).toBe(false);
    expect(grant(2, 40_000)).toBe(false);
    expect(grant(1, 40_000)).toBe(true);
    expect(grant(1, 40_001)).toBe(false);
  });

  test('have no address once the server does not give the port any more, and get any other later', () => {
    const { uplink, driver, told, requests, grant, close } = startTunnels(optionsFor(3000));
    uplink.begin(driver);
    grant(1, 40_000);
    close(1, 'port-not-allowed');
    expect(told).toEqual(['progress', 'closed']);
    expect(uplink.status).toMatchObject([{ isOpen: false, url: undefined, port: undefined }]);
    expect(requests()).toHaveLength(1);
    expect(uplink.dueAttempts).toHaveLength(1);
    vi.advanceTimersByTime(1_000);
    expect(requests().at(-1)).toMatchObject({ name: '' });
    expect(uplink.dueAttempts).toEqual([]);
  });

  test('drop the wish for a former port where somebody else has it', async () => {
    const { set, uplink, driver, requests, refuse } = startTunnels(optionsFor(3000), { rememberedPort: 41_000 });
    await set.recallPorts();
    uplink.recalled();
    uplink.begin(driver);
    expect(requests().at(-1)).toMatchObject({ name: '41000' });
    refuse(1, 'port-not-allowed');
    expect(requests().at(-1)).toMatchObject({ name: '' });
  });

  test('are asked for again after a while, or at once when somebody wants it', () => {
    const { uplink, driver, told, requests, refuse } = startTunnels([{ ...optionsFor(3000)[0]!, port: 40_000 }]);
    uplink.begin(driver);
    refuse(1, 'port-unavailable');
    expect(told).toEqual(['closed', 'retrying port-unavailable']);
    uplink.retryNow();
    expect(requests()).toHaveLength(2);
    vi.advanceTimersByTime(60_000);
    expect(requests()).toHaveLength(2);
  });

  test('are the end of their client when refused for good, unless others go on', () => {
    const one = startTunnels(optionsFor(3000, 3001));
    one.uplink.begin(one.driver);
    one.refuse(1, 'tunnel-limit');
    expect(one.told).toEqual(['closed', 'fatal tunnel-limit']);
    const lasting = startTunnels(optionsFor(3000, 3001), { outlivesTunnels: true });
    lasting.uplink.begin(lasting.driver);
    lasting.refuse(1, 'tunnel-limit');
    expect(lasting.uplink.areAllOpen).toBe(false);
    lasting.grant(2, 40_001);
    expect(lasting.uplink.areAllOpen).toBe(true);
    lasting.close(2, 'tunnel-limit');
    expect(lasting.told.at(-1)).toBe('fatal tunnel-limit');
  });

  test('that were given back are the end of nothing, whatever still comes of them', () => {
    const { uplink, driver, told, sent, refuse } = startTunnels(optionsFor(3000));
    uplink.begin(driver);
    uplink.giveAllBack();
    expect(sent.at(-1)).toEqual({ type: 'tunnel-close', tunnelId: 1, code: 'stopped' });
    expect(refuse(1, 'tunnel-limit')).toBe(true);
    expect(told).toEqual([]);
  });

  test('follow the set: what is gone is given back, what is new is asked for once its port was looked up', () => {
    const { set, uplink, driver, sent, requests, grant } = startTunnels(optionsFor(3000, 3001));
    uplink.begin(driver);
    grant(1, 40_000);
    grant(2, 40_001);
    const changes = set.replace([{ ...optionsFor(3001)[0]!, maxConnections: 1 }, ...optionsFor(3002)]);
    uplink.change(changes);
    expect(sent.slice(2)).toMatchObject([
      { type: 'tunnel-close', tunnelId: 1 },
      { type: 'tunnel-request', tunnelId: 2, name: '40001' },
    ]);
    expect(uplink.areAllOpen).toBe(false);
    for (const tunnel of changes.added) uplink.ask(tunnel);
    expect(requests().at(-1)).toMatchObject({ tunnelId: 3, name: '' });
    uplink.ask(changes.added[0]!);
    expect(requests()).toHaveLength(4);
    grant(2, 40_001);
    grant(3, 40_002);
    expect(uplink.open.map(({ port }) => port)).toEqual([40_001, 40_002]);
  });

  test('with a host name are asked for as such, and have addresses in place of a port', async () => {
    const remembered: string[] = [];
    const http = startTunnels([{ target: { host: 'localhost', port: 3000 }, http: { host: 'Shop' } }], {
      rememberedPort: 41_000,
      onRemember: (name) => remembered.push(name),
    });
    const { set, uplink, driver, requests } = http;
    await set.recallPorts();
    uplink.recalled();
    uplink.begin(driver);
    expect(requests()).toMatchObject([{ kind: ENDPOINT_KIND.http, name: 'shop', label: 'localhost:3000', terms: [] }]);
    const grantHost = (...addresses: readonly string[]): boolean =>
      uplink.take({ type: 'tunnel-granted', tunnelId: 1, name: 'shop.example.org', addresses });
    grantHost('https://shop.example.org:443', 'http://shop.example.org:80', 'http://shop.example.org:7835');
    const urls = ['https://shop.example.org', 'http://shop.example.org', 'http://shop.example.org:7835'];
    expect(uplink.open).toEqual([{ name: undefined, target: { host: 'localhost', port: 3000 }, url: urls[0], urls }]);
    expect(uplink.status).toMatchObject([{ url: urls[0], urls, port: undefined, isOpen: true }]);
    expect(remembered).toEqual([]);
    uplink.lost();
    uplink.begin(driver);
    expect(requests().at(-1)).toMatchObject({ kind: ENDPOINT_KIND.http, name: 'shop.example.org' });
  });

  test('with a host name have the addresses that the server tells later, where they are open', () => {
    const { uplink, driver, told } = startTunnels([{ target: { host: 'localhost', port: 3000 }, http: {} }]);
    const name = 'web-x.example.org';
    const addresses = [`https://${name}:443`, `http://${name}:80`];
    const move = (tunnelId: number): void => uplink.takeAddresses({ type: 'tunnel-addresses', tunnelId, addresses });
    uplink.begin(driver);
    move(1);
    uplink.take({ type: 'tunnel-granted', tunnelId: 1, name, addresses: [`http://${name}:80`] });
    move(2);
    expect(told).toEqual(['progress']);
    move(1);
    move(1);
    expect(told).toEqual(['progress', 'moved']);
    expect(uplink.open).toMatchObject([{ url: `https://${name}`, urls: [`https://${name}`, `http://${name}`] }]);
    uplink.giveAllBack();
    move(1);
    expect(told).toEqual(['progress', 'moved']);
  });

  test('with a host name that nobody chose get another one where that is not allowed any more', () => {
    const { uplink, driver, told, requests, refuse, close } = startTunnels([
      { target: { host: 'localhost', port: 3000 }, http: {} },
    ]);
    uplink.begin(driver);
    expect(requests()).toMatchObject([{ kind: ENDPOINT_KIND.http, name: '' }]);
    uplink.take({ type: 'tunnel-granted', tunnelId: 1, name: 'web-x.old', addresses: ['http://web-x.old:7835'] });
    close(1, 'host-not-allowed');
    expect(uplink.status).toMatchObject([{ url: undefined, port: undefined }]);
    vi.advanceTimersByTime(1_000);
    expect(requests().at(-1)).toMatchObject({ name: '' });
    refuse(1, 'a-code-of-a-later-version');
    expect(told.at(-1)).toBe('retrying host-unavailable');
    refuse(1, 'host-not-allowed');
    expect(told.at(-1)).toBe('retrying host-unavailable');
    uplink.retryNow();
    refuse(1, 'host-not-allowed');
    expect(told.at(-1)).toBe('fatal host-not-allowed');
  });

  test('keep the salt of their passwords when they change, and are not asked for again where they do not', () => {
    const target = { host: 'localhost', port: 3000 };
    const http = { basicAuth: ['me:sesame'] };
    const { set, uplink, driver, requests } = startTunnels([{ target, http }]);
    uplink.begin(driver);
    uplink.change(set.replace([{ target, http: { basicAuth: ['me:sesame'] } }]));
    expect(requests()).toHaveLength(1);
    uplink.change(set.replace([{ target, http: { basicAuth: ['me:sesame', 'you:sesame'] } }]));
    const [before, after] = requests().map(({ terms }) => terms);
    expect(after?.slice(0, 1)).toEqual(before);
    expect(after).toHaveLength(2);
    const other = startTunnels([{ target, http }]);
    other.uplink.begin(other.driver);
    expect(other.requests()[0]?.terms).not.toEqual(before);
  });
});
