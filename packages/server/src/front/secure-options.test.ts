import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type SecureVersion } from 'node:tls';
import { expect, test } from 'vitest';
import { AcmeChallenges } from '../certificates/acme-challenges.ts';
import { CertificateStore, type KeyPair } from '../certificates/certificate-store.ts';
import { secureOptions } from './secure-options.ts';

const HOST = 'shop.example.org';

function certificateFor(commonName: string, host: string): KeyPair {
  const directory = mkdtempSync(join(tmpdir(), 'tunnel-test-'));
  try {
    const files = { cert: join(directory, 'cert'), key: join(directory, 'key') };
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', files.key];
    const names = ['-subj', `/CN=${commonName}`, '-addext', `subjectAltName=DNS:${host}`];
    execFileSync('openssl', ['req', '-x509', ...key, '-out', files.cert, '-days', '2', ...names], { stdio: 'pipe' });
    return { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

// On Windows openssl may be missing.
test.runIf(process.platform !== 'win32').each<SecureVersion>(['TLSv1.2', 'TLSv1.3'])(
  'an authority that looks gets its answer, and others at the same time the usual certificate: %s',
  async (version) => {
    const store = new CertificateStore();
    const challenges = new AcmeChallenges();
    store.put('own', certificateFor('own', 'example.org'), true);
    store.put('shop', certificateFor('shop', HOST), false);
    const server = createServer(secureOptions(store, challenges), (socket) => socket.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    /** The common name that is shown, and the protocol. */
    const ask = async (servername: string, ...protocols: string[]): Promise<string> => {
      const socket = connect({
        host: '127.0.0.1',
        port,
        servername,
        rejectUnauthorized: false,
        ALPNProtocols: protocols,
        minVersion: version,
        maxVersion: version,
      });
      try {
        await once(socket, 'secureConnect');
        return `${String(socket.getPeerCertificate().subject.CN)} ${String(socket.alpnProtocol)}`;
      } catch (error) {
        return String((error as NodeJS.ErrnoException).code);
      } finally {
        socket.destroy();
      }
    };
    try {
      {
        using _answer = challenges.answerHello(HOST, certificateFor('challenge', HOST));
        expect(await ask(HOST, 'acme-tls/1')).toBe('challenge acme-tls/1');
        expect(await ask('SHOP.example.org', 'acme-tls/1')).toBe('challenge acme-tls/1');
        expect(await ask(HOST, 'h2', 'http/1.1')).toBe('shop h2');
        expect(await ask(HOST)).toBe('shop false');
        expect(await ask('other.example.org', 'acme-tls/1')).toMatch(/NO_APPLICATION_PROTOCOL/);
      }
      expect(await ask(HOST, 'acme-tls/1')).toMatch(/NO_APPLICATION_PROTOCOL/);
      expect(await ask('other.example.org', 'http/1.1')).toBe('own http/1.1');
    } finally {
      server.close();
    }
  },
);
