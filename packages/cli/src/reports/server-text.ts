import type { PublicPlace, Requirement, ServerEvents } from '@tunnel/server';
import { ERRORS, isErrorCode } from '@tunnel/shared';
import { formatDuration } from '../values/duration.ts';
import { count, timeOfDay } from './client-text.ts';
import { repeatedText } from './repeats.ts';
import type { Reporter } from '../output/reporter.ts';

export interface ServerTextContext {
  readonly fingerprint: (key: string) => string;
  readonly now: () => Date;
  readonly resumeWindowMs: number;
}

/** Tells a person at a terminal what a server does. */
export function serverTextReporter(say: (line: string) => void, context: ServerTextContext): Reporter<ServerEvents> {
  const { fingerprint, now, resumeWindowMs } = context;
  const tell = (text: string): void => say(`${timeOfDay(now())}  ${text}`);
  const client = (event: { readonly clientKey: string; readonly comment?: string }): string =>
    `client ${fingerprint(event.clientKey)}${event.comment ? ` (${event.comment})` : ''}`;
  return {
    'client-connected': (event, repeats) => {
      tell(`${client(event)} connected from ${event.address} (${event.agent})${repeatedText(repeats)}`);
    },
    'client-disconnected': (event, repeats) => {
      const kept = event.ended ? 'is gone' : `lost its link, kept for ${formatDuration(resumeWindowMs)}`;
      tell(`${client(event)} ${kept}: ${event.reason}${repeatedText(repeats)}`);
    },
    'client-resumed': (event, repeats) => {
      tell(`${client(event)} is back from ${event.address}${repeatedText(repeats)}`);
    },
    'client-expired': (event, repeats) => {
      tell(
        `${client(event)} did not come back, ${count(event.lostStreams, 'connection')} lost${repeatedText(repeats)}`,
      );
    },
    'client-refused': (event, repeats) => {
      const key = event.clientKey === undefined ? '' : ` with key ${fingerprint(event.clientKey)}`;
      tell(`refused ${event.address}${key}: ${event.reason}${repeatedText(repeats)}`);
    },
    'keys-changed': (event) => tell(`reread the authorized keys: ${count(event.count, 'key')}`),
    'tunnel-opened': (event, repeats) => {
      tell(`${client(event)} opened ${placeText(event)} for ${event.name}${repeatedText(repeats)}`);
    },
    'tunnel-closed': (event, repeats) => {
      tell(`${client(event)} closed ${placeText(event)}${repeatedText(repeats)}`);
    },
    'visitor-refused': (event, repeats) => {
      tell(
        `a visitor of ${placeText(event)} was turned away: ${isErrorCode(event.code) ? ERRORS[event.code].summary : event.code}${repeatedText(repeats)}`,
      );
    },
    'certificate-replaced': ({ certFile, validUntil }) => {
      tell(`the new certificate in ${certFile} is in use, valid until ${validUntil.slice(0, 10)}`);
    },
    'certificate-issued': ({ host, validUntil, isRenewal }) => {
      tell(
        `${isRenewal ? 'renewed the certificate' : 'got a certificate'} for ${host}, valid until ${validUntil.slice(0, 10)}`,
      );
    },
    warning: (event, repeats) => tell(`warning: ${event.reason}${repeatedText(repeats)}`),
    stopped: () => tell('stopped'),
  };
}

/** Of a tunnel, for people. */
function placeText({ host, port = 0 }: PublicPlace): string {
  return host ?? `port ${port}`;
}

/** What a person needs to connect a client. */
export interface ServerIntroduction {
  readonly version: string;
  /** What starts this program: `tunnel`. */
  readonly command: string;
  /** Address and port, or only the port where it is on all addresses. */
  readonly listensOn: string;
  readonly minPort: number;
  readonly maxPort: number;
  readonly fingerprint: string;
  /** As clients elsewhere name this server. */
  readonly to: string;
  /** What a person has to do about `to` first. */
  readonly note: string | undefined;
  /** Undefined where there is none. */
  readonly secret: string | undefined;
  /** A client here finds it by itself. */
  readonly isSecretInFile: boolean;
  /** The file with the keys of clients, where there is one. */
  readonly keysFile: string | undefined;
  readonly requirement: Requirement;
  readonly serverKey: string;
  /** Names of HTTP tunnels are below it, if there is one. */
  readonly domain: string | undefined;
  /** What --state-dir named; a client here finds the server by it. */
  readonly stateDirectory: string | undefined;
}

/** What a server says first at a terminal: with the whole client command, secret included. */
export function introduceServer(server: ServerIntroduction): readonly string[] {
  // In the environment the secret is hidden from other users, which it is not as an argument.
  const secret = server.secret === undefined ? '' : `TUNNEL_SECRET=${quote(server.secret)} `;
  const local = `${server.command} local 3000`;
  const stateDirectory = server.stateDirectory === undefined ? '' : ` --state-dir ${quote(server.stateDirectory)}`;
  return [
    `tunnel server ${server.version} listens on ${server.listensOn}, public ports ${server.minPort} to ${server.maxPort}`,
    `server key ${server.fingerprint}`,
    '',
    'to make port 3000 of another machine public, run there:',
    `  ${secret}${local} --to ${quote(server.to)} --server-key=${server.serverKey}`,
    ...(server.note === undefined ? [] : [`(${server.note})`]),
    'on this machine:',
    `  ${server.isSecretInFile ? '' : secret}${local}${stateDirectory}`,
    ...(server.domain === undefined ? [] : [`for a web address below ${server.domain}, write http instead of local`]),
    '',
    ...admission(server),
    'Ctrl-C ends',
  ];
}

/** Which clients get in, where that is not a matter of the secret alone. */
function admission({ keysFile, requirement }: ServerIntroduction): readonly string[] {
  if (keysFile === undefined || requirement === 'secret') return [];
  const who = {
    key: 'clients get in with a key that is listed in',
    either: 'clients get in with the secret, or with a key that is listed in',
    both: 'clients get in with the secret and a key that is listed in',
  }[requirement];
  return [`${who} ${keysFile}`, ''];
}

/** A word as a POSIX shell takes it. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
