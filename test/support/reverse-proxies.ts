import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCertificates } from './certificates.ts';
import { type ProxyProgram, startProxyProgram } from './proxy-programs.ts';
import type { TemporaryDirectory } from './temporary-directory.ts';

export type ReverseProxyName = 'nginx' | 'haproxy' | 'caddy';

/** Where a reverse proxy of the tests runs. */
export interface Place {
  readonly port: number;
  readonly serverPort: number;
  /** In a directory with `cert.pem`, `key.pem` and `both.pem`. */
  readonly file: (name: string) => string;
}

interface Surroundings {
  /** What stands around a configuration, on a machine. */
  readonly surround: (text: string, place: Place) => string;
  readonly args: (file: string) => readonly string[];
}

const SURROUNDINGS: Readonly<Record<ReverseProxyName, Surroundings>> = {
  nginx: {
    surround: (text, { file }) =>
      [
        'daemon off;',
        'master_process off;',
        `pid ${file('pid')};`,
        'error_log stderr;',
        'events {}',
        'http {',
        'access_log off;',
        ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${file(kind)};`),
        text,
        '}',
      ].join('\n'),
    args: (file) => ['-c', file, '-e', 'stderr'],
  },
  haproxy: {
    surround: (text) => `${text}\n`,
    args: (file) => ['-db', '-f', file],
  },
  caddy: {
    // Not on port 80, where it would send browsers on.
    surround: (text) => `{\n admin off\n auto_https disable_redirects\n}\n${text}\n`,
    args: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
};

export interface ReverseProxyOptions {
  readonly name: ReverseProxyName;
  /** A configuration, as a document has it. */
  readonly text: string;
  /** What is different here. */
  readonly replacements: (place: Place) => readonly (readonly [from: string, to: string])[];
  readonly serverPort: number;
  readonly directory: TemporaryDirectory;
}

/** Runs a configuration in front of a server. Throws if something that is to be replaced is not in it. */
export async function startReverseProxy(options: ReverseProxyOptions): Promise<ProxyProgram> {
  const { name, text, replacements, serverPort, directory } = options;
  const { surround, args } = SURROUNDINGS[name];
  const file = (base: string): string => join(directory.path, base);
  const [cert = '', key = ''] = ['TEST_CERTIFICATE', 'TEST_KEY'].map((each) => readCertificates().get(each) ?? '');
  await Promise.all([
    writeFile(file('cert.pem'), cert),
    writeFile(file('key.pem'), key),
    writeFile(file('both.pem'), cert + key),
  ]);
  const configure = async (port: number): Promise<readonly string[]> => {
    const place = { port, serverPort, file };
    let configuration = text;
    for (const [from, to] of replacements(place)) {
      if (!configuration.includes(from)) throw new Error(`the configuration of ${name} has no ${from}`);
      configuration = configuration.replace(from, to);
    }
    await writeFile(file('conf'), surround(configuration, place));
    return args(file('conf'));
  };
  return startProxyProgram(name, configure, { HOME: directory.path });
}
