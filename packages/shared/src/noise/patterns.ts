/** What a message carries or mixes in; `ss` is missing because no pattern here uses it. */
export type Token = 'e' | 's' | 'ee' | 'es' | 'se' | 'psk';

/** A pattern without pre-messages. Messages alternate; the initiator sends the first. */
export interface HandshakePattern {
  /** As in the protocol name. */
  readonly name: string;
  readonly messages: readonly (readonly Token[])[];
}

/** Noise section 7.5. */
export const XX: HandshakePattern = {
  name: 'XX',
  messages: [
    ['e'], // -> e
    ['e', 'ee', 's', 'es'], // <- e, ee, s, es
    ['s', 'se'], // -> s, se
  ],
};

/**
 * Noise section 9.4: the psk is mixed in at the end of message 3, so both sides can choose it once they know each
 * other.
 */
export const XXpsk3: HandshakePattern = {
  name: 'XXpsk3',
  messages: [
    ['e'], // -> e
    ['e', 'ee', 's', 'es'], // <- e, ee, s, es
    ['s', 'se', 'psk'], // -> s, se, psk
  ],
};
