import { normalHostName, problemOfHostHeader, problemOfHostName } from '@tunnel/client/internal';
import { type Given, unusable } from './given.ts';

/** Words for what a service sees as Host, beside a name. */
const HOST_HEADER_WORDS: readonly string[] = ['keep', 'local'];

/** Reads the host name that a tunnel asks for: one label, or a whole name. */
export function parsePublicHost(given: Given): string {
  const problem = problemOfHostName(given.text);
  if (problem === undefined) return normalHostName(given.text);
  throw unusable(
    given,
    problem,
    "give one label, as in shop, which stands below the server's domain, or a whole host name",
  );
}

/** Reads `keep`, `local`, or what a service is to see as Host. */
export function parseHostHeader(given: Given): string {
  const { text } = given;
  const problem = HOST_HEADER_WORDS.includes(text) ? undefined : problemOfHostHeader(text);
  if (problem === undefined) return text;
  throw unusable(given, problem, 'give keep, local, or a name that the service knows, as in app.lan or app.lan:8080');
}
