import type { Term } from '@tunnel/shared';

/**
 * What tells the public address. Rails and Next.js compare Origin with it, and Rails lets no unknown host pass in it, so it has to
 * go where Host and Origin are made local.
 */
const PUBLIC_ADDRESS = ['x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'forwarded'];

interface HeaderChange {
  readonly name: string;
  /** In lower case. */
  readonly key: string;
  readonly value: string;
}

/** The terms of a tunnel that concern its requests and answers. */
export interface HttpTerms {
  /** Whether the service speaks HTTP/2. */
  readonly isHttp2: boolean;
  /** Undefined: nobody is asked for credentials. */
  readonly credentials: readonly { readonly salt: Uint8Array; readonly digest: Uint8Array }[] | undefined;
  /** The Host that the service sees; undefined: the visitor's. */
  readonly host: string | undefined;
  readonly rewritesOrigin: boolean;
  readonly set: readonly HeaderChange[];
  /** In lower case: those that are set, too, and those that say otherwise than `host` and a rewritten Origin. */
  readonly removed: ReadonlySet<string>;
  readonly setInResponse: readonly HeaderChange[];
  readonly removedFromResponse: ReadonlySet<string>;
}

const read = new WeakMap<readonly Term[], HttpTerms>();

/** Of terms that the kind of endpoint has accepted. Costs nothing the second time. */
export function httpTermsOf(terms: readonly Term[]): HttpTerms {
  const known = read.get(terms);
  if (known) return known;
  const host = terms.findLast((each) => each.term === 'host-header');
  const credentials = terms.filter((each) => each.term === 'basic-auth');
  const set = terms.filter((each) => each.term === 'set-header').map(changeOf);
  const setInResponse = terms.filter((each) => each.term === 'set-response-header').map(changeOf);
  const rewritesOrigin = host?.rewritesOrigin ?? false;
  const removed = terms
    .filter((each) => each.term === 'remove-header')
    .map(({ name }) => changeOf({ name, value: '' }).key);
  const result: HttpTerms = {
    isHttp2: terms.findLast((each) => each.term === 'upstream')?.speaks === 'h2c',
    credentials: credentials.length === 0 ? undefined : credentials,
    host: host?.host,
    rewritesOrigin,
    set,
    removed: new Set([...removed, ...set.map(({ key }) => key), ...(rewritesOrigin ? PUBLIC_ADDRESS : [])]),
    setInResponse,
    removedFromResponse: new Set(setInResponse.map(({ key }) => key)),
  };
  read.set(terms, result);
  return result;
}

function changeOf({ name, value }: { readonly name: string; readonly value: string }): HeaderChange {
  return { name, key: name.toLowerCase(), value };
}
