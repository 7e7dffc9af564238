import { encodeKey, nodeCrypto } from '@tunnel/shared/node';

/** The public key that belongs to a client's identity, base64url: what a server's admin writes into the authorized keys. */
export function publicKeyOf(identity: Uint8Array): string {
  return encodeKey(nodeCrypto.publicKey(identity));
}
