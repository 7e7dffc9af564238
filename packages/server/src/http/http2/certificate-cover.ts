import type { TLSSocket } from 'node:tls';

/** Hosts whose answer is kept for a connection. */
const KEPT_HOSTS = 64;

const covered = new WeakMap<TLSSocket, Map<string, boolean>>();

/**
 * Whether a request for this host may come on this connection. A client may use one for all names of its certificate (RFC 9113,
 * section 9.1.1); others came by mistake, or to reach a name behind the back of whoever looks at connections. Who did not say a
 * name when it connected asked for no certificate in particular.
 */
export function isCovered(socket: TLSSocket, host: string): boolean {
  const { servername } = socket as TLSSocket & { readonly servername?: string | false | null };
  if (!servername || servername.toLowerCase() === host) return true;
  const known = covered.get(socket) ?? new Map<string, boolean>();
  covered.set(socket, known);
  let answer = known.get(host);
  if (answer === undefined) {
    answer = socket.getX509Certificate()?.checkHost(host) !== undefined;
    if (known.size < KEPT_HOSTS) known.set(host, answer);
  }
  return answer;
}
