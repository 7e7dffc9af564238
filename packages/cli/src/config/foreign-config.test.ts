import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { programOf } from './foreign-config.ts';
import { readConfig } from './read-config.ts';

const docs = join(import.meta.dirname, '../../../../docs');

const FRP_INI = '[common]\nserver_addr = tunnel.example.org\nserver_port = 7000\ntoken = SECRET\n\n[ssh]\ntype = tcp\n';
const FRP_TOML = 'serverAddr = "tunnel.example.org"\nauth.token = "SECRET"\n\n[[proxies]]\nname = "ssh"\n';
const FRP_YAML = 'serverAddr: tunnel.example.org\nproxies:\n  - name: ssh\n';
const FRP_SERVER = 'bindPort = 7000\nauth.token = "SECRET"\n';
const RATHOLE = '[client]\nremote_addr = "tunnel.example.org:2333"\n\n[client.services.ssh]\ntoken = "SECRET"\n';
const RATHOLE_SERVER = '[server]\nbind_addr = "0.0.0.0:2333"\n\n[server.services.ssh]\ntoken = "SECRET"\n';
const NGROK_2 = 'version: "2"\nauthtoken: SECRET\ntunnels:\n  web:\n    addr: 8080\n';
const NGROK_3 = 'version: 3\nagent:\n  authtoken: SECRET\nendpoints: []\n';

test.each([
  ['frp', FRP_INI],
  ['frp', FRP_TOML],
  ['frp', FRP_YAML],
  ['frp', FRP_SERVER],
  ['rathole', RATHOLE],
  ['rathole', RATHOLE_SERVER],
  ['ngrok', NGROK_2],
  ['ngrok', NGROK_3],
])('a file of %s is named, and its translation: %j', async (program, text) => {
  for (const saved of [text, `\uFEFF${text.replaceAll('\n', '\r\n')}`]) {
    await expect(readConfig('/etc/tunnel.toml', saved)).rejects.toMatchObject({
      code: 'config-unusable',
      lines: [`/etc/tunnel.toml: this is a configuration file of ${program}`],
      advice: 'write one for this program; docs/migrating.md shows how to translate it',
    });
  }
});

test('a file for this program in which something is left of another is told key by key', async () => {
  const text = '[client]\nto = "tunnel.example.org"\ndefault_token = "SECRET"\n';
  await expect(readConfig('/etc/tunnel.toml', text)).rejects.toMatchObject({
    lines: [expect.stringContaining('client.default_token: unknown key')],
  });
});

test('what the documents show for this program is not taken for another one', () => {
  for (const name of ['configuration.md', 'migrating.md']) {
    const examples = readFileSync(join(docs, name), 'utf8').matchAll(/^```toml \S+\n(.*?)^```$/gms);
    for (const [, text = ''] of examples)
      expect({ text, program: programOf(text) }).toEqual({ text, program: undefined });
  }
});

test('docs/migrating.md has a section for each', () => {
  const text = readFileSync(join(docs, 'migrating.md'), 'utf8');
  for (const program of ['frp', 'rathole', 'ngrok']) expect(text).toMatch(new RegExp(`^## ${program}$`, 'm'));
});
