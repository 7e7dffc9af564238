import type { Term } from '@tunnel/shared';

interface HeaderChange {
  readonly name: string;
  /** In lower case. */
  readonly key: string;
  readonly value: string;
}

/** The terms of a tunnel that concern its requests and answers. */
export interface HttpTerms {
  /** Undefined: nobody is asked for credentials. */
  readonly credentials: readonly { readonly salt: Uint8Array; readonly digest: Uint8Array }[] | undefined;
  /** The Host that the service sees; undefined: the visitor's. */
  readonly host: string | undefined;
  readonly rewritesOrigin: boolean;
  readonly set: readonly HeaderChange[];
  /** In lower case: those that are set, too. */
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
  const removed = terms
    .filter((each) => each.term === 'remove-header')
    .map(({ name }) => changeOf({ name, value: '' }).key);
  const result: HttpTerms = {
    credentials: credentials.length === 0 ? undefined : credentials,
    host: host?.host,
    rewritesOrigin: host?.rewritesOrigin ?? false,
    set,
    removed: new Set([...removed, ...set.map(({ key }) => key)]),
    setInResponse,
    removedFromResponse: new Set(setInResponse.map(({ key }) => key)),
  };
  read.set(terms, result);
  return result;
}

function changeOf({ name, value }: { readonly name: string; readonly value: string }): HeaderChange {
  return { name, key: name.toLowerCase(), value };
}
