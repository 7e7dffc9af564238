import { headerLines, type RecordedExchange, unframed } from '@tunnel/client/internal';
import { valueOf } from './bodies.ts';
import { masked } from './masking.ts';

/** What curl says by itself, of the body that it is given. */
const OWN: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding']);

/** A line for a shell that sends this request again to where it came to. */
export function curlOf(exchange: RecordedExchange, isRevealed: boolean): string {
  const { method, path, requestHead, requestBody } = exchange;
  const all = headerLines(requestHead);
  const lines = (isRevealed ? all : masked(all)).filter(({ name }) => !OWN.has(name.toLowerCase()));
  const scheme = valueOf(all, 'x-forwarded-proto') === 'https' ? 'https' : 'http';
  const url = path.startsWith('/') ? `${scheme}://${exchange.host}${path}` : path;
  const body = unframed(requestBody);
  const isText = isPlainText(body);
  const words = [
    ...(method === 'HEAD' ? ['--head'] : ['--request', quoted(method)]),
    quoted(url),
    // What the server added on the way is added again.
    ...lines
      .filter(({ name }) => !/^(?:host|via|forwarded|x-forwarded-\w+)$/i.test(name))
      .flatMap(({ name, value }) => ['--header', quoted(value === '' ? `${name};` : `${name}: ${value}`)]),
    ...(body.length === 0 ? [] : ['--data-binary', isText ? quoted(Buffer.from(body).toString()) : '@-']),
  ];
  const curl = `curl ${words.join(' ')}`;
  if (body.length === 0 || isText) return curl;
  return `printf %s ${quoted(Buffer.from(body).toString('base64'))} | base64 -d | ${curl}`;
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Whether a shell's argument can be these bytes, and curl takes it for them: it reads `@name` as the name of a file. */
function isPlainText(data: Uint8Array): boolean {
  const text = Buffer.from(data).toString();
  return !text.startsWith('@') && !text.includes('\0') && Buffer.from(text).equals(data);
}
