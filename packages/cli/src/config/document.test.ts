// Keeps docs/configuration.md equal to the flags. After a change there: npx vitest run config/document --update
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import type { Flag, Flags } from '../settings/flags.ts';
import { CLIENT_FLAGS } from '../settings/http-settings.ts';
import { RUN_FLAGS } from '../commands/run.ts';
import { SERVER_FLAGS } from '../settings/server-settings.ts';
import { CONFIG_KEYS } from './config-keys.ts';
import { readConfig } from './read-config.ts';

const path = join(import.meta.dirname, '../../../../docs/configuration.md');
const document = readFileSync(path, 'utf8');

function row(name: string, { describe, default: otherwise = '', variable }: Flag): string {
  return `| \`${name}\` | ${describe} | ${otherwise} | ${variable === undefined ? '' : `\`${variable}\``} |`;
}

function table(title: string, keys: readonly (readonly [string, Flag])[]): string {
  const head = ['| key | meaning | default | environment |', '| --- | --- | --- | --- |'];
  return [`### ${title}`, '', ...head, ...keys.map(([name, flag]) => row(name, flag))].join('\n');
}

function keysWith(keys: Flags, ...places: readonly string[]): readonly (readonly [string, Flag])[] {
  return Object.entries(keys).filter(([, { place = 'session' }]) => places.includes(place));
}

// Their defaults on Windows are others.
test.skipIf(process.platform === 'win32')('docs/configuration.md has every key', async () => {
  const tables = [
    table('`[server]`', Object.entries(CONFIG_KEYS.server)),
    table('`[client]`, for a process', keysWith(CONFIG_KEYS.client, 'process')),
    table('`[client]` and `[tunnels.NAME]`, for a session', keysWith(CONFIG_KEYS.client, 'session')),
    table('`[client]` and `[tunnels.NAME]`, for a single tunnel', keysWith(CONFIG_KEYS.client, 'tunnel')),
    table('`[tunnels.NAME]` only', keysWith(CONFIG_KEYS.tunnels, 'target')),
  ];
  const parts = /^(.*<!-- keys -->\n).*(<!-- end of keys -->.*)$/s.exec(document);
  if (parts === null) throw new Error('docs/configuration.md has lost its marks around the tables');
  await expect(`${parts[1]}\n${tables.join('\n\n')}\n\n${parts[2]}`).toMatchFileSnapshot(path);
});

test('its example is right', async () => {
  const example = /^```toml example\n(.*?)^```$/ms.exec(document)?.[1];
  if (example === undefined) throw new Error('docs/configuration.md has lost its example');
  const { server, client, tunnels } = await readConfig('/etc/tunnel.toml', example);
  expect([...tunnels.keys()]).toEqual(['web', 'db', 'shop', 'ssh']);
  expect(server.get('min-port')).toEqual([{ text: '9000', source: '/etc/tunnel.toml:4:12: server.min-port' }]);
  expect(client.get('secret-file')?.[0]?.text).toBe(resolve('/etc/secret'));
});

test('every flag has a key, and every key a flag', () => {
  // The path of the file cannot be set in the file itself.
  const flagsOf = (flags: Flags): string[] => Object.keys(flags).filter((name) => name !== 'config');
  expect(Object.keys(CONFIG_KEYS.server).toSorted()).toEqual(flagsOf(SERVER_FLAGS).toSorted());
  const clientKeys = new Set([...Object.keys(CONFIG_KEYS.client), ...Object.keys(CONFIG_KEYS.tunnels)]);
  expect([...clientKeys].toSorted()).toEqual([...flagsOf(CLIENT_FLAGS), 'target', 'type'].toSorted());
  expect(flagsOf(RUN_FLAGS).toSorted()).toEqual(
    flagsOf(CLIENT_FLAGS)
      .filter((name) => name !== 'port' && name !== 'host')
      .toSorted(),
  );
});

test('what names a file or directory is a path', () => {
  const flags = Object.entries<Flag>({ ...CLIENT_FLAGS, ...SERVER_FLAGS }).filter(([name]) => name !== 'config');
  const paths = flags.filter(([, { isPath }]) => isPath).map(([name]) => name);
  const files = flags.filter(([, flag]) => /^(?:file|directory)\b/.test(flag.describe)).map(([name]) => name);
  expect(paths).toEqual(files);
});
