import { createSecureContext, type SecureContext } from 'node:tls';
import type { ChallengeAnswers } from './acme-authority.ts';
import type { KeyPair } from './certificate-store.ts';

/** RFC 8737, section 6.1. */
export const ACME_PROTOCOL = 'acme-tls/1';

/** RFC 8555, section 8.3. */
const PATH = '/.well-known/acme-challenge/';

/** What is answered to an authority at the moment. Only orders put something in: nobody who asks can make it grow. */
export class AcmeChallenges implements ChallengeAnswers {
  readonly #texts = new Map<string, string>();
  readonly #contexts = new Map<string, SecureContext>();

  answerRequest(host: string, token: string, text: string): Disposable {
    return kept(this.#texts, `${host}${PATH}${token}`, text);
  }

  answerHello(host: string, { cert, key }: KeyPair): Disposable {
    return kept(this.#contexts, host, createSecureContext({ cert, key }));
  }

  /** The body of the answer to a request; undefined for all that are not an authority's. */
  textFor(host: string, target: string): string | undefined {
    return this.#texts.get(`${host}${target}`);
  }

  /** The certificate for a hello with `acme-tls/1`; undefined where no authority is expected to ask for this name. */
  contextFor(serverName: string): SecureContext | undefined {
    return this.#contexts.get(serverName.toLowerCase());
  }
}

function kept<Value>(table: Map<string, Value>, key: string, value: Value): Disposable {
  table.set(key, value);
  return {
    [Symbol.dispose]: () => {
      if (table.get(key) === value) table.delete(key);
    },
  };
}
