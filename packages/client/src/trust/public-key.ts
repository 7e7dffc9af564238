import { encodeKey, nodeCrypto } from '@tunnel/shared/node';

/** The public key of a client's identity, base64url, as listed in a server's authorized keys. */
export function publicKeyOf(identity: Uint8Array): string {
  return encodeKey(nodeCrypto.publicKey(identity));
}
