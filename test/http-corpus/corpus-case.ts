/** The host that the tunnel under test has. */
export const HOST = 'corpus.localhost';

/** What a visitor sends, as latin1: each character is a byte. */
export interface CorpusCase {
  readonly name: string;
  /** Written one after the other, as segments of their own. */
  readonly pieces: readonly string[];
  /** The visitor ends its side behind them. Otherwise a well-formed request to `/after` follows at once. */
  readonly ends: boolean;
}

/** What stands behind the bytes of a case: whether both sides agree on where those end shows in what becomes of it. */
export const AFTER: string = get('/after', 'Connection: close');

/** A request that no front may ever take for one. */
export const SMUGGLED: string = get('/smuggled');

/** Lines with their ends, and the empty one behind them. */
export function head(...lines: readonly string[]): string {
  return [...lines, '', ''].join('\r\n');
}

export function get(target: string, ...fields: readonly string[]): string {
  return head(`GET ${target} HTTP/1.1`, `Host: ${HOST}`, ...fields);
}

export function post(fields: readonly string[], body: string): string {
  return head('POST /case HTTP/1.1', `Host: ${HOST}`, ...fields) + body;
}

/** One case for each entry: its name, and the bytes. */
export function cases(bytesByName: Readonly<Record<string, string>>): CorpusCase[] {
  return Object.entries(bytesByName).map(([name, bytes]) => ({ name, pieces: [bytes], ends: false }));
}

/** As `cases`; the visitor ends its side behind the bytes. */
export function endingCases(bytesByName: Readonly<Record<string, string>>): CorpusCase[] {
  return cases(bytesByName).map((entry) => ({ ...entry, ends: true }));
}
