import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';

/** RFC 1035, section 2.3.4, as text without the dot at the end. */
export const HOST_NAME_LIMIT = 253;
export const LABEL_LIMIT = 63;

/** Services use `_` in names, though RFC 1123 does not have it. */
const LABEL = /^[a-z\d_](?:[a-z\d_-]*[a-z\d_])?$/;

/** What no name has in any script. URLs would take a part of such a text for the host, or drop a character. */
const FOREIGN = /[^\p{L}\p{M}\p{N}._-]/u;

/**
 * The one spelling of a host name: in lower case and ASCII (other scripts as punycode), without a dot at the end. Undefined for
 * anything else, also for IP addresses in all their spellings.
 */
export function parseHostName(text: string): string | undefined {
  if (FOREIGN.test(text)) return undefined;
  const ascii = domainToASCII(text);
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  if (name.length > HOST_NAME_LIMIT || isIP(name) !== 0) return undefined;
  return name.split('.').every((label) => label.length <= LABEL_LIMIT && LABEL.test(label)) ? name : undefined;
}

/** What keeps a text from being a host name, for people. */
export function hostNameFault(text: string): string {
  if (text === '') return 'not a host name';
  if (isIP(text) !== 0 || isIP(domainToASCII(text)) !== 0) return 'an IP address is not a host name';
  const labels = text.replace(/\.$/, '').split('.');
  if (labels.includes('')) return 'a host name has no empty parts';
  if (labels.some((label) => label.length > LABEL_LIMIT)) {
    return `a part of a host name has at most ${LABEL_LIMIT} characters`;
  }
  if (text.length > HOST_NAME_LIMIT) return `a host name has at most ${HOST_NAME_LIMIT} characters`;
  return 'not a host name';
}

/** Both in their one spelling. A name is not below itself. */
export function isBelow(host: string, domain: string): boolean {
  return host.endsWith(`.${domain}`);
}

/** The name without its first label; empty for a single label. */
export function parentOf(host: string): string {
  const dot = host.indexOf('.');
  return dot === -1 ? '' : host.slice(dot + 1);
}
