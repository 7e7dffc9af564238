// HTTP/1.1 messages taken apart without any leniency of a library's: what came is kept byte by byte, in its order and case.

/** Name and value as they stood on the line; latin1, so that every byte is one character. */
export type Field = readonly [name: string, value: string];

/** How the end of a body is told. */
export type Framing = 'none' | 'length' | 'chunked' | 'until-close';

export interface Message {
  /** Status or request line, latin1. */
  readonly startLine: string;
  readonly fields: readonly Field[];
  readonly framing: Framing;
  /** Without chunk sizes and extensions. */
  readonly body: Buffer;
  readonly trailers: readonly Field[];
  /** Whether everything came that its framing promises. */
  readonly isComplete: boolean;
}

/** What a message is, which decides whether it has a body: a request, or the answer to one with this method. */
export type MessageKind = 'request' | { readonly answerTo: string };

/** How the connection ended after the last byte; undefined: more may come. */
export type Ending = 'end' | 'reset' | undefined;

export type Head = Pick<Message, 'startLine' | 'fields' | 'framing'>;

/** Reads the head that begins at `start`; undefined while it is not whole. Throws where the bytes are no HTTP. */
export function readHead(
  bytes: Buffer,
  start: number,
  kind: MessageKind,
): { readonly head: Head; readonly bodyStart: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n', start, 'latin1');
  if (headEnd === -1) return undefined;
  const [startLine = '', ...lines] = bytes.toString('latin1', start, headEnd).split('\r\n');
  const fields = lines.map(parseField);
  return { head: { startLine, fields, framing: framingOf(kind, startLine, fields) }, bodyStart: headEnd + 4 };
}

/** All values of a field, whatever the case of its name. */
export function valuesOf(fields: readonly Field[], name: string): readonly string[] {
  return fields.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
}

export function statusOf({ startLine }: Message): number {
  const [, status] = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(startLine) ?? [];
  if (status === undefined) throw new Error(`not a status line: ${JSON.stringify(startLine)}`);
  return Number(status);
}

/** 100, 102, 103: another answer follows. */
export function isInterim(message: Message): boolean {
  const status = statusOf(message);
  return status >= 100 && status < 200 && status !== 101;
}

export function parseField(line: string): Field {
  const [, name, value] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/s.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`not a header line: ${JSON.stringify(line)}`);
  return [name, value];
}

/** RFC 9112, section 6.3. */
function framingOf(kind: MessageKind, startLine: string, fields: readonly Field[]): Framing {
  if (kind !== 'request') {
    const [, status = ''] = startLine.split(' ');
    if (kind.answerTo === 'HEAD' || /^(?:1..|204|304)$/.test(status)) return 'none';
  }
  if (valuesOf(fields, 'transfer-encoding').length > 0) return 'chunked';
  if (valuesOf(fields, 'content-length').length > 0) return 'length';
  return kind === 'request' ? 'none' : 'until-close';
}
