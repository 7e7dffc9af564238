import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { overrideLines } from '../notices/environment-notices.ts';
import { type Arguments, type Environment, type FileTable, GivenFlags } from './flags.ts';
import { LOCAL_FLAGS, type LocalFlags } from './local-settings.ts';
import { SERVER_FLAGS, type ServerFlags } from './server-settings.ts';

function server(environment: Environment, given: Arguments = {}): ServerFlags {
  return new GivenFlags(SERVER_FLAGS, given, environment);
}

describe('what Kubernetes sets for a service', () => {
  const link = 'tcp://10.0.0.1:7835';

  test.each(['port', 'min-port', 'max-port'] as const)('does not stand in for --%s', (name) => {
    const variable = SERVER_FLAGS[name].variable;
    for (const text of [link, 'udp://10.0.0.1:53', 'tcp://[fd00::1]:7835']) {
      const flags = server({ [variable]: text });
      expect(flags.get(name)).toBeUndefined();
      expect(flags.environmentFindings.ignored).toEqual([{ source: variable, text }]);
    }
  });

  test('is not all not a valid port', () => {
    for (const text of ['tcp://', 'x', '7835', '10.0.0.1:7835']) {
      expect(server({ TUNNEL_PORT: text }).get('port')?.text).toBe(text);
      expect(server({ TUNNEL_PORT: text }).environmentFindings.ignored).toEqual([]);
    }
  });

  test('is nothing to speak of where the command line has the port', () => {
    expect(server({ TUNNEL_PORT: link }, { port: '1' }).environmentFindings.ignored).toEqual([]);
  });
});

test('a line end is no part of a variable', () => {
  for (const text of ['7000\n', '7000\r\n']) expect(server({ TUNNEL_PORT: text }).read('port')).toBe(7000);
  expect(server({ TUNNEL_PORT: '\n' }).get('port')).toBeUndefined();
});

describe('what goes before the file', () => {
  const tableOf = (table: string, values: Readonly<Record<string, string>>): FileTable =>
    new Map(Object.entries(values).map(([key, text]) => [key, [{ text, source: `file: ${table}.${key}` }]]));
  const client = tableOf('client', { to: 'a', 'secret-file': '/secret', identity: resolve('/key') });
  const flagsFor = (
    environment: Environment,
    given: Arguments = {},
    tables: readonly FileTable[] = [client],
  ): LocalFlags => new GivenFlags(LOCAL_FLAGS, given, environment, tables);
  const lines = (...flags: readonly LocalFlags[]): readonly string[] =>
    overrideLines(flags.map(({ environmentFindings }) => environmentFindings));

  test('is told with both places', () => {
    expect(lines(flagsFor({ TUNNEL_SERVER: 'b' }))).toEqual([
      'TUNNEL_SERVER is b, which goes before the file: file: client.to',
    ]);
  });

  test('is told once for all tunnels', () => {
    const tunnel = tableOf('tunnels.x', { to: 'c' });
    const environment = { TUNNEL_SERVER: 'b' };
    expect(lines(flagsFor(environment), flagsFor(environment), flagsFor(environment, {}, [tunnel, client]))).toEqual([
      'TUNNEL_SERVER is b, which goes before the file: file: client.to, file: tunnels.x.to',
    ]);
  });

  test('is told without a secret', () => {
    expect(lines(flagsFor({ TUNNEL_SECRET: 'sesame' }))).toEqual([
      'TUNNEL_SECRET is set, which goes before the file: file: client.secret-file',
    ]);
  });

  test('is nothing where both are the same, where the file says nothing, or where a flag goes before both', () => {
    expect(lines(flagsFor({ TUNNEL_SERVER: 'a', TUNNEL_IDENTITY: '/x/../key', TUNNEL_LOG_LEVEL: 'warn' }))).toEqual([]);
    expect(lines(flagsFor({ TUNNEL_SERVER: 'b' }, { to: 'c' }))).toEqual([]);
    expect(lines(flagsFor({ TUNNEL_SECRET: 'sesame' }, { 'secret-file': '/other' }))).toEqual([]);
  });
});
