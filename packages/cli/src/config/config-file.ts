import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describeSystemError, hasModes } from '@tunnel/shared/node';
import type { Environment } from '../settings/flags.ts';
import { readProxy } from '../settings/proxy-choice.ts';
import { standardFolder } from '../settings/standard-folders.ts';
import type { Given } from '../values/given.ts';
import type { Config } from './read-config.ts';
import { CommandError } from '../hints/command-error.ts';

/** A configuration file, as read. */
export interface ConfigFile extends Config {
  /** The kind of confidential value in it, if other users of this machine can read the file. */
  readonly exposed: Confidence | undefined;
}

type Confidence = 'a secret' | 'a password' | "a proxy's password";

const READABLE_BY_OTHERS = 0o044;

/**
 * Reads the given configuration file, else the user's own, if any. Throws `config-unusable`, as a `ConfigError` if it
 * concerns the content.
 */
export async function loadConfig(given: Given | undefined, environment: Environment): Promise<ConfigFile | undefined> {
  const path = given === undefined ? defaultConfigPath(environment) : resolve(given.text);
  const file = path === undefined ? undefined : await readFile(path);
  if (path !== undefined && file !== undefined) {
    // Loaded only if there is a file: most invocations have none and start faster.
    const { readConfig } = await import('./read-config.ts');
    const config = await readConfig(path, file.text);
    return { ...config, exposed: file.isExposed ? confidenceIn(config) : undefined };
  }
  if (given === undefined) return undefined;
  throw new CommandError('config-unusable', {
    detail: `${given.source} ${given.text}: no such file or directory`,
    hint: 'give a file that exists',
  });
}

/** As `loadConfig`, if the file is mandatory. */
export async function requireConfig(given: Given | undefined, environment: Environment): Promise<ConfigFile> {
  const config = await loadConfig(given, environment);
  if (config !== undefined) return config;
  throw new CommandError('config-unusable', {
    detail: `there is no ${defaultConfigPath(environment) ?? 'home directory of this user to look in'}`,
    hint: 'create one as in docs/configuration.md, or give another one with --config FILE',
  });
}

function confidenceIn({ server, client, tunnels }: Config): Confidence | undefined {
  const tables = [server, client, ...tunnels.values()];
  if (tables.some((table) => table.has('secret'))) return 'a secret';
  const credentials = tables.flatMap((table) => table.get('basic-auth') ?? []);
  if (credentials.some(({ text }) => !text.startsWith('@'))) return 'a password';
  const proxies = tables.flatMap((table) => table.get('proxy') ?? []);
  return proxies.some((proxy) => readProxy(proxy).credentials !== undefined) ? "a proxy's password" : undefined;
}

/** Undefined for a user without a home directory. */
function defaultConfigPath(environment: Environment): string | undefined {
  const folder = standardFolder('config', environment);
  return folder === undefined ? undefined : join(folder, 'config.toml');
}

async function readFile(path: string): Promise<{ readonly text: string; readonly isExposed: boolean } | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { mode } = await file.stat();
      const isExposed = hasModes(process.platform) && (mode & READABLE_BY_OTHERS) !== 0;
      return { text: await file.readFile('utf8'), isExposed };
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CommandError('config-unusable', {
      detail: `${path}: ${describeSystemError(error)}`,
      hint: 'make it readable for this user',
      cause: error,
    });
  }
}
