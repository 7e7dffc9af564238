import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Validity } from './acme-issuer.ts';
import type { KeyPair } from './certificate-store.ts';

export interface CheckedKeyPair extends KeyPair {
  readonly validity: Validity;
}

/** Throws an `Error` that says what is wrong, if that is no certificate with its key. */
export function checkKeyPair({ cert, key }: KeyPair): CheckedKeyPair {
  const leaf = attempt('it contains no certificate in PEM', () => new X509Certificate(cert));
  const privateKey = attempt('it contains no private key in PEM', () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) throw new Error('the key does not belong to the certificate');
  attempt('its chain cannot be read', () => createSecureContext({ cert, key }));
  return { cert, key, validity: { fromMs: Date.parse(leaf.validFrom), untilMs: Date.parse(leaf.validTo) } };
}

/** Throws an `Error` if the certificate is not for this name now. */
export function requireFor(host: string, { cert, validity }: CheckedKeyPair, now: number): void {
  if (new X509Certificate(cert).checkHost(host) === undefined) throw new Error(`the certificate is not for ${host}`);
  if (validity.untilMs <= now) throw new Error(`the certificate ended on ${new Date(validity.untilMs).toISOString()}`);
}

function attempt<Result>(reason: string, act: () => Result): Result {
  try {
    return act();
  } catch (cause) {
    throw new Error(reason, { cause });
  }
}
