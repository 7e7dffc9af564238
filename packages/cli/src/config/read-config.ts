import { dirname, join, resolve } from 'node:path';
import { TUNNEL_LIMIT, TunnelError } from '@tunnel/shared';
import { isUtf16, withoutByteOrderMark } from '@tunnel/shared/node';
import { type Environment, type FileTable, type Flag, type Flags, GivenFlags, readValue } from '../settings/flags.ts';
import { CLIENT_FLAGS, FLAGS_OF_OTHER_TYPE, readTunnelSettings } from '../settings/http-settings.ts';
import { nearest } from '../usage/nearest.ts';
import { readServerSettings, SERVER_FLAGS } from '../settings/server-settings.ts';
import { homeDirectory } from '../settings/standard-folders.ts';
import type { Given } from '../values/given.ts';
import { adviceFor, adviceOf } from '../hints/advice-for.ts';
import { ConfigError, type Problem } from './config-error.ts';
import { CONFIG_KEYS, SESSION_KEYS, tablesOfTunnel, typeOfTunnel } from './config-keys.ts';
import { programOf } from './foreign-config.ts';
import { parseToml, type Position, type TomlNode, TomlSyntaxError, type TomlTable } from './toml.ts';

/** A valid configuration file. */
export interface Config {
  readonly path: string;
  readonly server: FileTable;
  readonly client: FileTable;
  /** By name, in the order of the file. */
  readonly tunnels: ReadonlyMap<string, FileTable>;
}

/**
 * A file is checked in isolation: a wrong HTTPS_PROXY is not the file's fault. Which state directory will be used does
 * not matter here and is unknown (a flag or a variable may name it), so any path will do; looking up the default would
 * fail for a user without a home directory.
 */
const NO_ENVIRONMENT: Environment = { XDG_STATE_HOME: '/' };

const LISTED_TUNNELS =
  'a list, as other programs have it; here each tunnel has a table with its name, [tunnels.NAME]; docs/migrating.md has the translation';

const FIRST: Position = { line: 1, column: 1 };

const TUNNEL_NAME = /^[A-Za-z\d][\w.-]{0,62}$/;

/** Parses the text of a configuration file. Throws a `ConfigError` with all problems. */
export async function readConfig(path: string, text: string): Promise<Config> {
  if (isUtf16(text))
    throw new ConfigError(
      path,
      [{ at: FIRST, key: '', text: 'the file is in UTF-16' }],
      adviceOf({ id: 'utf16' }).text,
    );
  const reader = new Reader(path);
  try {
    return reader.read(await parseToml(withoutByteOrderMark(text)));
  } catch (error) {
    if (!(error instanceof TomlSyntaxError) && !(error instanceof ConfigError)) throw error;
    const program = reader.knowsAny ? undefined : programOf(text);
    if (program !== undefined) {
      throw new ConfigError(
        path,
        [{ at: undefined, key: '', text: `${path}: this is a configuration file of ${program}` }],
        'write one for this program; docs/migrating.md shows how to translate it',
      );
    }
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(path, [{ at: error.at, key: '', text: `not valid TOML: ${lowerFirst(error.message)}` }]);
  }
}

class Reader {
  readonly #path: string;
  readonly #problems: Problem[] = [];
  #knowsAny = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whether any key was recognized. */
  get knowsAny(): boolean {
    return this.#knowsAny;
  }

  read(root: TomlTable): Config {
    let server: FileTable = new Map();
    let client: FileTable = new Map();
    const tunnels = new Map<string, FileTable>();
    const positions = new Map<string, Position>();
    for (const [name, { keyAt, value }] of root.entries) {
      switch (name) {
        case 'server':
          server = this.#readTable(name, value, CONFIG_KEYS.server);
          break;
        case 'client':
          client = this.#readTable(name, value, CONFIG_KEYS.client);
          break;
        case 'tunnels':
          if (value.kind === 'list') {
            this.#tell(keyAt, name, LISTED_TUNNELS);
            break;
          }
          for (const [tunnel, entry] of this.#tableOf(name, value)?.entries ?? []) {
            const key = `tunnels.${quoted(tunnel)}`;
            if (!TUNNEL_NAME.test(tunnel)) {
              this.#tell(entry.keyAt, key, 'a name is up to 63 letters, digits, dots, dashes and underscores');
            }
            if (entry.value.kind === 'table') positions.set(tunnel, entry.keyAt);
            tunnels.set(tunnel, this.#readTable(key, entry.value, CONFIG_KEYS.tunnels));
          }
          break;
        default:
          this.#tellUnknown(keyAt, '', name, Object.keys(CONFIG_KEYS));
      }
    }
    for (const [name, at] of positions) {
      if (tunnels.get(name)?.has('target') === true) continue;
      this.#tell(at, `tunnels.${quoted(name)}`, '`target` (the local service) is missing');
    }
    if (this.#problems.length === 0) this.#checkTogether(server, client, tunnels);
    if (this.#problems.length > 0) throw new ConfigError(this.#path, this.#problems);
    return { path: this.#path, server, client, tunnels };
  }

  /** Checks what can only be wrong with several values in combination. */
  #checkTogether(server: FileTable, client: FileTable, tunnels: ReadonlyMap<string, FileTable>): void {
    const told = new Set<string>();
    const attempt = (check: () => unknown): void => {
      try {
        check();
      } catch (error) {
        const text = describe(error);
        // A problem in `[client]` would show up for each of its tunnels.
        if (!told.has(text)) this.#tell(undefined, '', text);
        told.add(text);
      }
    };
    attempt(() => readServerSettings(new GivenFlags(SERVER_FLAGS, {}, {}, [server]), NO_ENVIRONMENT));
    for (const table of [server, client, ...tunnels.values()]) {
      const [secret] = table.get('secret') ?? [];
      if (secret && table.has('secret-file')) {
        this.#tell(undefined, '', `${secret.source}: secret-file is set as well; give only one of them`);
      }
    }
    const holders = new Map<string, string>();
    const sizes = new Map<string, number>();
    for (const [name, table] of tunnels) {
      const type = typeOfTunnel(table);
      const flags = new GivenFlags(CLIENT_FLAGS, {}, {}, tablesOfTunnel(table, client));
      attempt(() => {
        const settings = readTunnelSettings(type, table.get('target') ?? [], flags, NO_ENVIRONMENT);
        // Tunnels that reach the same server in the same way share a session.
        const way = JSON.stringify(SESSION_KEYS.map((key) => flags.get(key)?.text));
        sizes.set(way, (sizes.get(way) ?? 0) + settings.tunnels.length);
      });
      for (const key of FLAGS_OF_OTHER_TYPE[type]) {
        const [given] = table.get(key) ?? [];
        const advice = `it is for tunnels of type ${type === 'tcp' ? 'http' : 'tcp'}, and this one is of type ${type}`;
        if (given !== undefined) this.#tell(undefined, '', `${given.source}: ${advice}`);
      }
      const place = type === 'tcp' ? 'port' : 'host';
      const [given] = table.get(place) ?? [];
      if (given === undefined || given.text === '0') continue;
      const wanted = `${flags.get('to')?.text ?? ''} ${place} ${given.text.toLowerCase()}`;
      const holder = holders.get(wanted);
      if (holder !== undefined) {
        this.#tell(undefined, '', `${given.source}: ${given.text} is already the ${place} of the tunnel ${holder}`);
      }
      holders.set(wanted, name);
    }
    for (const size of sizes.values()) {
      if (size <= TUNNEL_LIMIT) continue;
      const hint = 'give some of them an `identity` of their own, which makes it another session';
      this.#tell(undefined, '', `${size} tunnels share a session, and it can have ${TUNNEL_LIMIT}; ${hint}`);
    }
  }

  #readTable(section: string, node: TomlNode, keys: Flags): FileTable {
    const values = new Map<string, readonly Given[]>();
    for (const [name, { keyAt, value }] of this.#tableOf(section, node)?.entries ?? []) {
      const flag = Object.hasOwn(keys, name) ? keys[name] : undefined;
      if (flag === undefined) this.#tellUnknown(keyAt, `${section}.`, name, Object.keys(keys));
      else {
        this.#knowsAny = true;
        values.set(name, this.#readValues(`${section}.${name}`, flag, value));
      }
    }
    return values;
  }

  #tableOf(key: string, node: TomlNode): TomlTable | undefined {
    if (node.kind === 'table') return node;
    this.#tell(node.at, key, `expected a table, found ${described(node)}`);
    return undefined;
  }

  #readValues(key: string, flag: Flag, node: TomlNode): readonly Given[] {
    const isList = flag.isList === true && flag.place !== 'target';
    const nodes = isList && node.kind === 'list' ? node.items : [node];
    return nodes.flatMap((item) => this.#readValue(key, flag, item, isList) ?? []);
  }

  #readValue(key: string, flag: Flag, node: TomlNode, isList: boolean): Given | undefined {
    const kinds = flag.isSwitch === true ? ['switch'] : ['text', 'number'];
    if (node.kind === 'table' || node.kind === 'list' || !kinds.includes(node.kind)) {
      const wanted =
        flag.isSwitch === true ? 'true or false' : `text or a number${isList ? ', or a list of them' : ''}`;
      this.#tell(node.at, key, `expected ${wanted}, found ${described(node)}`);
      return undefined;
    }
    const text = this.#textOf(flag, node.text);
    if (text === undefined) {
      this.#tell(node.at, key, '~/ stands for the home directory, and this user has none; write the full path');
      return undefined;
    }
    const { line, column } = node.at;
    try {
      readValue(flag, { text, source: key });
    } catch (error) {
      this.#tell(node.at, '', describe(error));
      return undefined;
    }
    return { text, source: `${this.#path}:${line}:${column}: ${key}` };
  }

  /** As `#resolvePath`, for values that name a file. */
  #textOf(flag: Flag, text: string): string | undefined {
    if (flag.isPath === true) return this.#resolvePath(text);
    if (flag.isPathBehindAt !== true || !text.startsWith('@')) return text;
    const path = this.#resolvePath(text.slice(1));
    return path === undefined ? undefined : `@${path}`;
  }

  /** Undefined if it is below the home directory of a user who has none. */
  #resolvePath(text: string): string | undefined {
    if (text === '') return text;
    if (!text.startsWith('~/')) return resolve(dirname(this.#path), text);
    const home = homeDirectory();
    return home === undefined ? undefined : join(home, text.slice(2));
  }

  #tellUnknown(at: Position, section: string, name: string, known: readonly string[]): void {
    const owner = (['client', 'tunnels', 'server'] as const).find((table) => Object.hasOwn(CONFIG_KEYS[table], name));
    const near = nearest(name, known);
    let hint = '';
    if (section !== '' && owner !== undefined) hint = `; it belongs in ${headingOf(owner)}`;
    else if (near !== undefined) hint = `; did you mean ${near}?`;
    else if (section === '') hint = `; the tables are ${known.map(headingOf).join(', ')}`;
    this.#tell(at, `${section}${quoted(name)}`, `unknown key${hint}`);
  }

  #tell(at: Position | undefined, key: string, text: string): void {
    this.#problems.push({ at, key, text });
  }
}

function described(node: TomlNode): string {
  return {
    table: 'a table',
    list: 'a list',
    text: 'text',
    number: 'a number',
    switch: 'true or false',
    date: 'a date',
  }[node.kind];
}

/** The failure and what to do, as a clause that follows a position. */
function describe(error: unknown): string {
  if (!(error instanceof TunnelError)) throw error;
  return `${error.detail}; ${adviceFor(error).text}`;
}

function headingOf(table: string): string {
  return table === 'tunnels' ? '[tunnels.NAME]' : `[${table}]`;
}

/** As written in the file. */
function quoted(name: string): string {
  return /^[\w-]+$/.test(name) ? name : JSON.stringify(name);
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
