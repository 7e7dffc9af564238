/** Marks of other tunnels' configuration files. */
const SIGNS: readonly (readonly [program: string, sign: RegExp])[] = [
  // frpc.toml, frps.toml and the same as YAML or JSON; frpc.ini, frps.ini.
  [
    'frp',
    /^\s*(?:"?(?:serverAddr|serverPort|bindPort|proxies)"?\s*[=:]|\[\[(?:proxies|visitors)\]\]|\[common\]|server_addr\s*=)/m,
  ],
  ['rathole', /^\s*(?:\[(?:client|server)\.services\b|(?:remote_addr|default_token)\s*=)/m],
  // ngrok.yml of versions 2 and 3.
  ['ngrok', /^\s*authtoken\s*:|^version\s*:\s*["']?[23]["']?\s*$/m],
];

/** The other program that this file was probably written for, if any. */
export function programOf(text: string): string | undefined {
  return SIGNS.find(([, sign]) => sign.test(text))?.[0];
}
