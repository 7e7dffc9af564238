/** Telltale signs of other tunnels' configuration files. */
const SIGNS: readonly (readonly [program: string, sign: RegExp])[] = [
  // frpc.toml and frps.toml, also as YAML or JSON; frpc.ini and frps.ini.
  [
    'frp',
    /^\s*(?:"?(?:serverAddr|serverPort|bindPort|proxies)"?\s*[=:]|\[\[(?:proxies|visitors)\]\]|\[common\]|server_addr\s*=)/m,
  ],
  ['rathole', /^\s*(?:\[(?:client|server)\.services\b|(?:remote_addr|default_token)\s*=)/m],
  // ngrok.yml, versions 2 and 3.
  ['ngrok', /^\s*authtoken\s*:|^version\s*:\s*["']?[23]["']?\s*$/m],
];

/** The program that this file was probably written for, if not this one. */
export function programOf(text: string): string | undefined {
  return SIGNS.find(([, sign]) => sign.test(text))?.[0];
}
