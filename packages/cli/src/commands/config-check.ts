import { LINK_FLAGS } from '../settings/common-flags.ts';
import type { Context } from '../process/context.ts';
import type { EnvironmentFindings } from '../settings/environment.ts';
import { overrideLines } from '../notices/environment-notices.ts';
import { type Arguments, type Environment, type FileTable, type Flag, GivenFlags } from '../settings/flags.ts';
import { CLIENT_FLAGS } from '../settings/http-settings.ts';
import { printable } from '../output/printable.ts';
import { SERVER_FLAGS } from '../settings/server-settings.ts';
import { type ConfigFile, requireConfig } from '../config/config-file.ts';
import { unknownWord } from '../usage/unknown-words.ts';
import { tablesOfTunnel, typeOfTunnel } from '../config/config-keys.ts';

export const CONFIG_FLAGS = { config: LINK_FLAGS.config } as const satisfies Readonly<Record<string, Flag>>;

/** `tunnel config check [file]`: says what stands in a configuration file, or throws with all that is wrong. */
export async function runConfig(
  action: string,
  file: string | undefined,
  given: Arguments,
  { environment, writers }: Context,
): Promise<number> {
  if (action !== 'check') {
    throw unknownWord('action', `config ${action}`, 'did you mean `tunnel config check`?');
  }
  const flags = new GivenFlags(CONFIG_FLAGS, given, environment);
  const config = await requireConfig(
    file === undefined ? flags.get('config') : { text: file, source: 'file' },
    environment,
  );
  for (const line of [...summary(config), ...overrideLines(findingsFor(config, environment))])
    writers.stdout.write(printable(line));
  return 0;
}

/** What the environment overrides, for every command that reads this file. */
function findingsFor(
  { server, client, tunnels }: ConfigFile,
  environment: Environment,
): readonly EnvironmentFindings[] {
  const tablesOfClients = [[client], ...[...tunnels.values()].map((tunnel) => tablesOfTunnel(tunnel, client))];
  return [
    new GivenFlags(SERVER_FLAGS, {}, environment, [server]),
    ...tablesOfClients.map((tables) => new GivenFlags(CLIENT_FLAGS, {}, environment, tables)),
  ].map((flags) => flags.environmentFindings);
}

function summary({ path, server, client, tunnels, exposed }: ConfigFile): readonly string[] {
  return [
    `${path} is right`,
    ...(server.size === 0 ? [] : [`server: ${[...server.keys()].join(', ')}`]),
    ...(client.size === 0 ? [] : [`client: ${[...client.keys()].join(', ')}`]),
    ...[...tunnels].map(([name, table]) => {
      const flags = new GivenFlags(CLIENT_FLAGS, {}, {}, tablesOfTunnel(table, client));
      const to = flags.get('to')?.text ?? 'the server of this machine';
      return `tunnel ${name}: ${table.get('target')?.[0]?.text ?? ''} at ${to}, ${publicPlace(table)}`;
    }),
    ...(exposed === undefined
      ? []
      : [`warning: other users of this machine can read it, and there is ${exposed} in it`]),
  ];
}

/** What the tunnel asks for. */
function publicPlace(tunnel: FileTable): string {
  const place = typeOfTunnel(tunnel) === 'tcp' ? 'port' : 'host';
  const wanted = tunnel.get(place)?.[0]?.text ?? '0';
  return wanted === '0' ? `any ${place}` : `${place} ${wanted}`;
}
