import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIPv4 } from 'node:net';

/** Why a request is refused. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly text: string;
}

const LOOPBACK_NETWORK = new BlockList();
LOOPBACK_NETWORK.addSubnet('127.0.0.0', 8);

const HOST = /^(?<host>\[[\da-f:]+\]|[^:[\]@/]+)(?::\d{1,5})?$/i;

const FOREIGN: Refusal = { status: 403, text: 'the inspector is for this machine only\n' };
const NO_TOKEN: Refusal = {
  status: 401,
  text: 'a token is missing or wrong; open the link that `tunnel` printed when it started\n',
};

/**
 * Who may ask at all. A page of another site can have a browser send requests here, also under a name that leads to this
 * machine only since a moment ago (DNS rebinding): neither has a name of this machine in Host and, if there is one, in Origin.
 */
export function refusalOfSender(headers: IncomingHttpHeaders): Refusal | undefined {
  const { host = '', origin, via, 'sec-fetch-site': site } = headers;
  // A link may be followed from wherever it is shown, but in no frame.
  const isVisit = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  // A browser on this machine sends none, but a tunnel that leads here does.
  if (via !== undefined || !isThisMachine(host)) return FOREIGN;
  if (origin !== undefined && origin !== `http://${host}`) return FOREIGN;
  if (!isVisit && site !== undefined && site !== 'same-origin' && site !== 'none') return FOREIGN;
  return undefined;
}

/** The token is in the link's fragment, which travels nowhere, and from there in this header: never in a cookie or an address. */
export function refusalOfToken({ authorization = '' }: IncomingHttpHeaders, token: string): Refusal | undefined {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(authorization), digest(`Bearer ${token}`)) ? undefined : NO_TOKEN;
}

/** Not the names below `localhost`, which tunnels have. */
function isThisMachine(authority: string): boolean {
  const { host = '' } = HOST.exec(authority)?.groups ?? {};
  return host.toLowerCase() === 'localhost' || host === '[::1]' || (isIPv4(host) && LOOPBACK_NETWORK.check(host));
}
