import { isIP, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';

/** RFC 1035, section 2.3.4. */
const MAX_NAME_CHARACTERS = 253;
const MAX_LABEL_CHARACTERS = 63;

const LABEL = /^[a-z\d_](?:[a-z\d_-]*[a-z\d_])?$/;

const HOST_AND_PORT = /^(.*?)(?::(\d{1,5}))?$/;

/** A host name in the form that servers compare: lower case, IDN as punycode, no dot at the end. */
export function normalHostName(text: string): string {
  const name = text.replace(/\.$/, '');
  // What it cannot read becomes empty: better the text as it was, for whoever is to see what is wrong with it.
  return (domainToASCII(name) || name).toLowerCase();
}

/** Why a tunnel cannot have this host name; undefined if it can. One label is a name, too. */
export function problemOfHostName(text: string): string | undefined {
  if (text === '') return 'the name is missing';
  if (isIP(text.replace(/^\[(.*)\]$/, '$1')) !== 0) return 'that is an IP address, not a name';
  if (/[/:@\s]/.test(text)) return 'a name has no scheme, port, path or blank';
  const name = normalHostName(text);
  if (name.length > MAX_NAME_CHARACTERS) {
    return `a name has at most ${MAX_NAME_CHARACTERS} characters, and this one has ${name.length}`;
  }
  const labels = name.split('.');
  const long = labels.find(({ length }) => length > MAX_LABEL_CHARACTERS);
  if (long !== undefined) {
    return `a label has at most ${MAX_LABEL_CHARACTERS} characters, and ${long} has ${long.length}`;
  }
  const bad = labels.find((label) => !LABEL.test(label));
  if (bad === '') return 'two dots in a row, or one at the start';
  if (bad !== undefined) return `${bad} is not a valid label: letters, digits and - within it`;
  return /^\d+$/.test(labels.at(-1) ?? '') ? 'a name does not end with a number' : undefined;
}

/** Why a Host header cannot say this; undefined if it can: a name or an address, perhaps with a port. */
export function problemOfHostHeader(text: string): string | undefined {
  const [, host = '', port = '1'] = HOST_AND_PORT.exec(text) ?? [];
  if (Number(port) < 1 || Number(port) > 65_535) return 'the port is not a number from 1 to 65535';
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  if (bracketed !== undefined) return isIPv6(bracketed) ? undefined : 'that is not an IPv6 address';
  return isIP(host) === 4 ? undefined : problemOfHostName(host);
}
