import { type Given, unusable } from './given.ts';
import { toHost } from './host.ts';
import { toPort } from './port.ts';

const HINT = 'an address to listen on is given as 80, host:80 or [::1]:80';

export interface ListenAddress {
  /** Undefined: only the port was given. */
  readonly host: string | undefined;
  readonly port: number;
}

/** Reads `80`, `host:80` or `[::1]:80`. Port 0 is any free one. */
export function parseListenAddress(given: Given): ListenAddress {
  const address = toListenAddress(given.text);
  if (address === undefined) throw unusable(given, 'neither a port nor host:port', HINT);
  return address;
}

/** As `parseListenAddress`, or undefined. */
export function toListenAddress(text: string): ListenAddress | undefined {
  const colon = text.lastIndexOf(':');
  const port = toPort(text.slice(colon + 1));
  if (port === undefined || colon === -1) return port === undefined ? undefined : { host: undefined, port };
  const bracketedOrName = text.slice(0, colon);
  const host = bracketedOrName.includes(':') && !bracketedOrName.startsWith('[') ? undefined : toHost(bracketedOrName);
  return host === undefined ? undefined : { host, port };
}
