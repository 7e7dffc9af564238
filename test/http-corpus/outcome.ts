import { type CorpusCase, HOST } from './corpus-case.ts';
import { type SeenRequest, seenTarget, type ServiceRecord } from './recording-service.ts';
import type { Field } from './strict-reader.ts';

/** What came of a case: what the visitor got, and what the service. */
export interface Outcome extends ServiceRecord {
  /** Of all answers. */
  readonly statuses: readonly string[];
  /** Targets of the requests that the service answered, in the order of the answers. */
  readonly answered: readonly string[];
  /** The front closed the connection. */
  readonly isClosed: boolean;
}

/** Fields that each front writes in its own way. */
const OWN_FIELDS = new Set(['connection', 'content-length', 'transfer-encoding']);
const SHOWN_FIELDS = 6;
const SHOWN_CHARACTERS = 60;

/**
 * An outcome in one line, such as `200 400, closed | POST /case "hello"`. Of the fields it has those that the visitor sent. Once the
 * connection is closed it has the requests that were answered: what becomes of others is a matter of time.
 */
export function describeOutcome({ pieces }: CorpusCase, outcome: Outcome): string {
  const { statuses, answered, isClosed, requests } = outcome;
  const sent = pieces.join('').toLowerCase();
  const seen = requests.filter(({ target }) => !isClosed || answered.includes(seenTarget(target)));
  const answers = statuses.length === 0 ? 'no answer' : statuses.join(' ');
  return [`${answers}, ${isClosed ? 'closed' : 'open'}`, ...seen.map((request) => describeRequest(request, sent))].join(
    ' | ',
  );
}

function describeRequest({ method, target, fields, body, trailers, isComplete }: SeenRequest, sent: string): string {
  const own = fields.filter(([name, value]) => {
    const lower = name.toLowerCase();
    return sent.includes(`${lower}:`) && !OWN_FIELDS.has(lower) && !(lower === 'host' && value === HOST);
  });
  return [
    `${method} ${escape(target)}`,
    describeFields(own, '{', '}'),
    body.length === 0 ? '' : `"${escape(body.toString('latin1'))}"`,
    describeFields(trailers, 'trailers {', '}'),
    isComplete ? '' : '…',
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function describeFields(fields: readonly Field[], open: string, close: string): string {
  if (fields.length === 0) return '';
  const shown = fields.slice(0, SHOWN_FIELDS).map(([name, value]) => `${escape(name)}: ${escape(value)}`);
  if (fields.length > SHOWN_FIELDS) shown.push(`${fields.length} in all`);
  return `${open}${shown.join(', ')}${close}`;
}

/** In printable ASCII, shortened. */
function escape(text: string): string {
  const printable = text.replaceAll(/[^\x20-\x7e]|[\\"]/g, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return (
      { '\r': '\\r', '\n': '\\n', '\t': '\\t' }[character] ??
      (code > 0x20 && code < 0x7f ? `\\${character}` : `\\x${code.toString(16).padStart(2, '0')}`)
    );
  });
  return printable.length > SHOWN_CHARACTERS ? `${printable.slice(0, SHOWN_CHARACTERS)}… (${text.length})` : printable;
}
