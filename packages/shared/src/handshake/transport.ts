import type { HandshakeState } from '../noise/handshake-state.ts';
import { HandshakeError } from './error.ts';

/** What a handshake leaves behind, for the records of the link. */
export interface Transport {
  /** Key of the records that this side sends; its counter starts at 0. */
  readonly sendKey: Uint8Array;
  /** Key of the records that the other side sends. */
  readonly receiveKey: Uint8Array;
  /** The final `h`: the same on both sides, different for every handshake. */
  readonly handshakeHash: Uint8Array;
}

export function transportOf(noise: HandshakeState): Transport {
  const { send, receive } = noise.split();
  if (send.k === undefined || receive.k === undefined) {
    throw new HandshakeError('out-of-order', 'the handshake has no keys yet');
  }
  return { sendKey: send.k, receiveKey: receive.k, handshakeHash: noise.h };
}
