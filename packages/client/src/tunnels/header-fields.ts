import type { HeaderField } from '../options.ts';

/** A name travels with a length of one byte. */
const MAX_NAME_CHARACTERS = 255;
/** As much as most servers take for a whole head. */
const MAX_VALUE_CHARACTERS = 8_192;

/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;

/** RFC 9110, section 5.5: visible characters, blanks and tabs; above ASCII as Latin-1. */
const VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

/** What says where a message ends or what the connection is for. Another value would make one message into two. */
const FRAMING: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
]);

/** Why a header of this name cannot be set or removed; undefined if it can. */
export function problemOfHeaderName(name: string): string | undefined {
  if (name === '') return 'the name of the header is missing';
  if (!TOKEN.test(name)) return `${JSON.stringify(name)} is not a valid header name`;
  if (name.length > MAX_NAME_CHARACTERS) return `a header name has at most ${MAX_NAME_CHARACTERS} characters`;
  if (name.toLowerCase() === 'host') return 'Host has an option of its own';
  if (FRAMING.has(name.toLowerCase())) return `${name} belongs to the connection, and is not changed`;
  return undefined;
}

/** The same of a header that is to have this value. The value is not in what is returned: it may be a secret. */
export function problemOfHeader({ name, value }: HeaderField): string | undefined {
  const problem = problemOfHeaderName(name);
  if (problem !== undefined) return problem;
  if (!VALUE.test(value)) return `the value of ${name} has a character that no header can have`;
  return value.length > MAX_VALUE_CHARACTERS
    ? `a header value has at most ${MAX_VALUE_CHARACTERS} characters, and that of ${name} has ${value.length}`
    : undefined;
}
