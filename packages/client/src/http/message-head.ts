// RFC 9112, read for whoever looks on: a head that cannot be read ends the looking, and nothing else.

/** Where a message's body ends, as its own head says. */
type Length =
  | { readonly kind: 'known'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** In a coding without an end of its own. */
  | { readonly kind: 'until-close' }
  /** Nothing is said: no body in a request, in an answer all up to the end. */
  | { readonly kind: 'unsaid' };

export interface RequestHead {
  readonly method: string;
  /** As it stands in the request, mostly path and query. */
  readonly target: string;
  /** As the visitor asked for it, or the Host where nobody says. */
  readonly host: string;
  readonly length: Exclude<Length, { readonly kind: 'until-close' }>;
  /** It asks for another protocol: what follows is that, or the next request. */
  readonly wantsUpgrade: boolean;
}

export interface AnswerHead {
  readonly status: number;
  readonly length: Length;
  /** Its body is not what it says, but that compressed. */
  readonly isEncoded: boolean;
}

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~\dA-Za-z]+) ([^ ]+) HTTP\/1\.[01]$/;
const STATUS_LINE = /^HTTP\/1\.[01] ([1-9]\d\d)(?: .*)?$/;

type Known =
  'host' | 'upgrade' | 'content-length' | 'content-encoding' | 'x-forwarded-host' | 'transfer-encoding' | undefined;

/** Undefined for what is none. `text` is without the empty line at its end. */
export function readRequestHead(text: string): RequestHead | undefined {
  const { startLine, fields } = readFields(text);
  const [, method, target] = REQUEST_LINE.exec(startLine) ?? [];
  const length = lengthIn(fields);
  if (method === undefined || target === undefined || length === undefined) return undefined;
  // An answer may end with its connection, a request cannot.
  if (length.kind === 'until-close') return undefined;
  return {
    method,
    target,
    host: fields['x-forwarded-host'] ?? fields.host ?? '',
    length,
    wantsUpgrade: fields.upgrade !== undefined || method === 'CONNECT',
  };
}

/** Undefined for what is none. `text` is without the empty line at its end. */
export function readAnswerHead(text: string): AnswerHead | undefined {
  const { startLine, fields } = readFields(text);
  const [, status] = STATUS_LINE.exec(startLine) ?? [];
  const length = lengthIn(fields);
  if (status === undefined || length === undefined) return undefined;
  return { status: Number(status), length, isEncoded: fields['content-encoding'] !== undefined };
}

/** A header as it travelled. */
export interface HeaderLine {
  readonly name: string;
  readonly value: string;
}

/** The headers of a head, in order and case. What is no header is left out. */
export function headerLines(text: string): readonly HeaderLine[] {
  return text.split('\r\n').flatMap((line, index) => {
    const colon = line.indexOf(':');
    if (index === 0 || colon < 1) return [];
    return { name: line.slice(0, colon), value: line.slice(colon + 1).trim() };
  });
}

type Fields = { readonly [Name in NonNullable<Known>]?: string };

function readFields(text: string): { readonly startLine: string; readonly fields: Fields } {
  const lines = text.split('\r\n');
  const fields: { [Name in NonNullable<Known>]?: string } = {};
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    const colon = line.indexOf(':');
    const name = knownName(line, colon);
    if (name === undefined) continue;
    const value = line.slice(colon + 1).trim();
    const before = fields[name];
    fields[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return { startLine: lines[0] ?? '', fields };
}

/** Most headers are told from these by their length alone. */
function knownName(line: string, length: number): Known {
  const candidate = CANDIDATES[length];
  if (candidate === undefined) return undefined;
  const name = line.slice(0, length).toLowerCase();
  return candidate.find((known) => known === name);
}

const CANDIDATES: Readonly<Partial<Record<number, readonly NonNullable<Known>[]>>> = {
  4: ['host'],
  7: ['upgrade'],
  14: ['content-length'],
  16: ['content-encoding', 'x-forwarded-host'],
  17: ['transfer-encoding'],
};

/** Section 6.3. Undefined where one reader could take it for another length than the next. */
function lengthIn(fields: Fields): Length | undefined {
  const { 'transfer-encoding': encoding, 'content-length': length } = fields;
  if (encoding !== undefined) {
    const isChunked = /^(?:.*,[ \t]*)?chunked$/i.test(encoding);
    if (length !== undefined) return undefined;
    return { kind: isChunked ? 'chunked' : 'until-close' };
  }
  if (length === undefined) return { kind: 'unsaid' };
  const [first = '', ...others] = length.split(',').map((each) => each.trim());
  if (!/^\d{1,15}$/.test(first) || others.some((other) => other !== first)) return undefined;
  return { kind: 'known', bytes: Number(first) };
}
