import { type Term, TunnelError } from '@tunnel/shared';
import { hostNameFault, parseHostName } from '@tunnel/shared/node';
import { isLocalName, NO_DOMAIN } from '../../access/host-bounds.ts';
import type { HostPolicy } from '../../access/host-policy.ts';
import type { Candidate, Choice, EndpointKind, OpenEndpoint, VisitorHandlers, Wish } from '../endpoint.ts';
import { somebodyElses } from '../endpoint-refusal.ts';
import type { DerivedLabels } from './derived-labels.ts';
import type { HostTable } from './host-table.ts';
import { requireHttpTerms } from './http-terms.ts';

/** So many names are tried for a tunnel that asks for none: as many processes of one client can have tunnels with one label. */
const DERIVED_TRIES = 1024;

const LOCAL_ONLY =
  "names below localhost are for clients on the server's own machine; start the server with --domain for others";

export interface HttpHostsOptions {
  /** Where requests find whose a host is. */
  readonly table: HostTable;
  readonly policy: HostPolicy;
  readonly labels: DerivedLabels;
  /** URLs at which visitors reach a host, the best first. */
  readonly addressesOf: (host: string) => readonly string[];
  /** A tunnel has a host from here on; `share`: whom it counts for. */
  readonly onGranted?: (host: string, share: string) => void;
  readonly onClosed?: (host: string) => void;
}

/** Host names for HTTP, each for one tunnel. Their names are whole host names in their one spelling. */
export class HttpHosts implements EndpointKind {
  readonly number = 2;
  readonly prefix = 'host';
  readonly codes = { taken: 'host-in-use', notAllowed: 'host-not-allowed', unavailable: 'host-unavailable' } as const;
  readonly #options: HttpHostsOptions;

  constructor(options: HttpHostsOptions) {
    this.#options = options;
  }

  requireTerms(terms: readonly Term[]): void {
    requireHttpTerms(terms);
  }

  choose(wish: Wish): Choice {
    return wish.wanted === '' ? this.#chooseAny(wish) : { kind: 'one', name: this.#requireName(wish) };
  }

  permits(name: string, clientKey: string): boolean {
    return this.#options.policy.permits(name, clientKey);
  }

  refusalOf(name: string, clientKey: string): TunnelError {
    return this.#options.policy.refusalOf(name, clientKey);
  }

  isReserved(name: string, clientKey: string): boolean {
    return this.#options.policy.isReserved(name, clientKey);
  }

  async open(name: string, handlers: VisitorHandlers): Promise<OpenEndpoint> {
    const { table, addressesOf, onGranted, onClosed } = this.#options;
    // It is being claimed for another tunnel just now.
    if (table.find(name)) throw somebodyElses('host-in-use', name, 'another client');
    table.open(name, handlers);
    return {
      get addresses() {
        return addressesOf(name);
      },
      granted: (share) => onGranted?.(name, share),
      close: () => {
        if (table.find(name) !== handlers) return;
        table.close(name);
        onClosed?.(name);
      },
    };
  }

  #requireName({ wanted, clientKey, isLocal }: Wish): string {
    const { domain } = this.#options.policy;
    const isLabel = !wanted.includes('.');
    if (isLabel && domain === undefined) throw notAllowed(`${wanted}; ${NO_DOMAIN}`);
    const name = parseHostName(isLabel ? `${wanted}.${domain}` : wanted);
    if (name === undefined) throw new TunnelError('terms-refused', { detail: `${wanted}: ${hostNameFault(wanted)}` });
    if (!this.permits(name, clientKey)) throw this.refusalOf(name, clientKey);
    if (isLocalName(name) && !isLocal) throw notAllowed(`${name}; ${LOCAL_ONLY}`);
    return name;
  }

  #chooseAny(wish: Wish): Choice {
    const { policy } = this.#options;
    const { clientKey } = wish;
    const all = {
      reserved: policy.reservedFor(clientKey),
      parents: policy.parentsFor(clientKey),
      listed: policy.listedFor(clientKey),
    };
    if (isEmpty(all)) throw notAllowed(NO_DOMAIN);
    const choices = wish.isLocal ? all : withoutLocal(all);
    if (isEmpty(choices)) throw notAllowed(LOCAL_ONLY);
    return {
      kind: 'any',
      candidates: this.#candidates(wish, choices),
      exhausted: (areSomeKept) => {
        const kept = areSomeKept ? ' but those kept for a while for the clients that had them' : '';
        const detail = `no free name among ${policy.describe(clientKey)}${kept}`;
        return new TunnelError('host-unavailable', { detail });
      },
    };
  }

  /** Those that are the client's own first, and of those that others may ask for too the one that it had. */
  *#candidates({ clientKey, label, remembered }: Wish, choices: Choices): Generator<Candidate, undefined> {
    for (const name of rememberedFirst(choices.reserved, remembered)) yield { name, takenFrom: 'linkless' };
    for (const parent of choices.parents) {
      for (let counter = 0; counter < DERIVED_TRIES; counter += 1) {
        const name = `${this.#options.labels.labelFor(clientKey, label, counter)}.${parent}`;
        yield { name, takenFrom: 'linkless' };
      }
    }
    for (const name of rememberedFirst(choices.listed, remembered)) yield { name, takenFrom: 'nobody' };
  }
}

/** What a tunnel can have that asks for no name. */
interface Choices {
  readonly reserved: readonly string[];
  /** Names are made below these. */
  readonly parents: readonly string[];
  readonly listed: readonly string[];
}

function isEmpty({ reserved, parents, listed }: Choices): boolean {
  return reserved.length + parents.length + listed.length === 0;
}

function withoutLocal({ reserved, parents, listed }: Choices): Choices {
  const isForAll = (name: string): boolean => !isLocalName(name);
  return { reserved: reserved.filter(isForAll), parents: parents.filter(isForAll), listed: listed.filter(isForAll) };
}

function rememberedFirst(names: readonly string[], remembered: string | undefined): readonly string[] {
  return names.toSorted((a, b) => Number(b === remembered) - Number(a === remembered));
}

function notAllowed(detail: string): TunnelError {
  return new TunnelError('host-not-allowed', { detail });
}
