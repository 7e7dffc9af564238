import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TunnelError } from '@tunnel/shared';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AcmeAuthority, AuthorityError, type ChallengeKind } from './acme-authority.ts';
import { AcmeCertificates } from './acme-certificates.ts';
import { AcmeFiles } from './acme-files.ts';
import { CertificateStore, type KeyPair } from './certificate-store.ts';

/** 253 characters: a file of that name could not be written. */
const LONGEST = `${`${'x'.repeat(60)}.`.repeat(4)}example`.padStart(253, 'y');

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnel-test-'));
});
afterEach(() => rm(directory, { recursive: true }));

function certificateFor(host: string, days = 90): KeyPair {
  const files = { cert: join(directory, 'cert'), key: join(directory, 'key') };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', files.key];
  const names = ['-subj', '/CN=test', '-addext', `subjectAltName=DNS:${host}`];
  execFileSync('openssl', ['req', '-x509', ...key, '-out', files.cert, '-days', String(days), ...names], {
    stdio: 'pipe',
  });
  return { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') };
}

/** What an authority gives for a name: a certificate, or a refusal that is thrown. */
type Give = (host: string, kind: ChallengeKind) => KeyPair;

interface Scene extends Disposable {
  readonly store: CertificateStore;
  readonly certificates: AcmeCertificates;
  readonly orders: readonly string[];
  /** The next thing that is told. */
  next(): Promise<string>;
}

async function open(give: Give, kinds: readonly ChallengeKind[] = ['http-01']): Promise<Scene> {
  const store = new CertificateStore();
  const files = new AcmeFiles(join(directory, 'acme'), 'https://acme.example/dir');
  const orders: string[] = [];
  const told: string[] = [];
  let wake = (): void => {};
  const tell = (what: string): void => {
    told.push(what);
    wake();
  };
  const authority: AcmeAuthority = {
    order: async (host, kind) => {
      orders.push(`${host} ${kind}`);
      return give(host, kind);
    },
  };
  const certificates = new AcmeCertificates(
    {
      store,
      files,
      kinds,
      weeklyLimit: 40,
      openAuthority: async () => authority,
      wallNow: () => Date.now(),
      random: () => 0.5,
    },
    {
      onIssued: (host) => tell(`issued ${host}`),
      onWarning: ({ message }: TunnelError) => tell(message),
    },
    ['own.example.org'],
    await files.read(),
  );
  certificates.start();
  return {
    store,
    certificates,
    orders,
    next: async () => {
      while (told.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return told.shift() ?? '';
    },
    [Symbol.dispose]: () => certificates[Symbol.dispose](),
  };
}

// On Windows openssl may be missing.
describe.runIf(process.platform !== 'win32')('what an authority gives', () => {
  test('is put to use, kept, and found again', async () => {
    {
      using scene = await open((host) => certificateFor(host));
      expect(await scene.next()).toBe('issued own.example.org');
      scene.certificates.want('a.example.org', 'key');
      expect(await scene.next()).toBe('issued a.example.org');
      scene.certificates.want(LONGEST, 'key');
      expect(await scene.next()).toBe(`issued ${LONGEST}`);
      expect(scene.store.covers('a.example.org')).toBe(true);
      expect(scene.store.fallback?.cert).toContain('BEGIN CERTIFICATE');
    }
    using scene = await open(() => {
      throw new Error('nothing should be asked for');
    });
    for (const host of ['a.example.org', LONGEST]) scene.certificates.want(host, 'key');
    expect(scene.store.covers(LONGEST)).toBe(true);
    expect(scene.orders).toEqual([]);
    expect([scene.store.covers('a.example.org'), scene.store.covers('own.example.org')]).toEqual([true, true]);
  });

  test.each<[string, Give, RegExp]>([
    ['for another name', () => certificateFor('other.example.org'), /the certificate is not for own\.example\.org;/],
    [
      'with another key',
      (host) => ({ ...certificateFor(host), key: certificateFor(host).key }),
      /the key does not belong to the certificate;/,
    ],
    ['that is none', (host) => ({ ...certificateFor(host), cert: '<html>' }), /it contains no certificate in PEM;/],
  ])('%s is not put to use', async (_what, give, reason) => {
    using scene = await open(give);
    const told = await scene.next();
    expect(told).toMatch(reason);
    expect(told).toMatch(/^no certificate was issued: own\.example\.org: .*; next attempt in 1 min$/);
    expect(scene.store.fallback).toBeUndefined();
  });

  test('where it refuses is told in its own words, and remembered', async () => {
    using scene = await open(
      (_host, kind) => {
        throw new AuthorityError(`nobody is there for ${kind}`, { isAuthoritys: false, retryAfterMs: 7_200_000 });
      },
      ['http-01', 'tls-alpn-01'],
    );
    expect(await scene.next()).toBe(
      'no certificate was issued: own.example.org: nobody is there for http-01; next attempt in 120 min',
    );
    expect(scene.orders).toEqual(['own.example.org http-01']);
    scene.certificates[Symbol.dispose]();
    // What is kept of failures is on disk before the next one.
    await expect
      .poll(async () => readFile(join(directory, 'acme/acme.example-dir/records.json'), 'utf8').catch(() => ''))
      .toContain('"failures": 1');
  });
});

test.runIf(process.platform !== 'win32')(
  'names for which there is a certificate in files are not asked for',
  async () => {
    using scene = await open((host) => certificateFor(host));
    expect(await scene.next()).toBe('issued own.example.org');
    scene.store.put('file', certificateFor('*.example.org'), true);
    scene.certificates.want('a.example.org', 'key');
    scene.certificates.want('a.other.example', 'key');
    expect(await scene.next()).toBe('issued a.other.example');
    expect(scene.orders).toEqual(['own.example.org http-01', 'a.other.example http-01']);
  },
);
