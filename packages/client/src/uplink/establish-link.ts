import {
  type Hello,
  type ErrorCode,
  HANDSHAKE_HEADER,
  HandshakeError,
  Initiator,
  type Hint,
  isErrorCode,
  kindOf,
  KNOWN_FEATURES,
  MAX_RECORD_BYTES,
  type NoiseCrypto,
  PROTOCOL_VERSION,
  type Refusal,
  TunnelError,
} from '@tunnel/shared';
import { constantTimeEqual, fingerprint, monotonicNow, randomBytes, RecordLink } from '@tunnel/shared/node';
import type { WebSocket } from 'ws';
import type { ServerAddress } from '../dial/address.ts';
import { dial, type DialOptions } from '../dial/dial.ts';
import type { ClientEvents } from '../events.ts';

export interface EstablishOptions {
  readonly address: ServerAddress;
  readonly crypto: NoiseCrypto;
  /** The client's private key. */
  readonly identity: Uint8Array;
  readonly psk: Promise<Uint8Array>;
  /** The key that the server must have; undefined where it is not known yet. */
  readonly serverKey: Uint8Array | undefined;
  /** Where the expected key comes from, for people. */
  readonly keySource: string;
  /** What to do where the server has another key; undefined if the usual hint will do. */
  readonly keyHint?: Hint | undefined;
  /** Asked right before message 3 is written: what it says of the session holds until then. It may throw to give up. */
  readonly makeHello: () => Hello;
  /** Told of each step, up to message 3. */
  readonly onAttempt: (event: ClientEvents['attempt']) => void;
  readonly dial: Pick<DialOptions, 'signal' | 'timeoutMs' | 'proxy' | 'ca' | 'verifyCertificate' | 'onWarning'>;
}

/** A link on which message 3 was sent: records may follow at once; the server's first one says whether it accepted. */
export interface EstablishedLink {
  readonly records: RecordLink;
  readonly serverKey: Uint8Array;
  /** The feature bits that both sides know. */
  readonly features: number;
  /** From the upgrade request to its answer, in ms. */
  readonly roundTripMs: number;
}

/** One attempt, up to message 3. Rejects with a `TunnelError` that says which step failed. */
export async function establishLink(options: EstablishOptions): Promise<EstablishedLink> {
  const initiator = new Initiator({
    crypto: options.crypto,
    s: options.identity,
    e: randomBytes(32),
    offer: { versions: [PROTOCOL_VERSION], features: KNOWN_FEATURES },
  });
  const message1 = initiator.message1();
  const began = monotonicNow();
  let upgradeBegan = 0;
  const { webSocket, socket, responseHeaders } = await dial(options.address, {
    ...options.dial,
    maxPayloadBytes: MAX_RECORD_BYTES,
    headers: { [HANDSHAKE_HEADER]: Buffer.from(message1).toString('base64url') },
    onPhase: (phase) => {
      if (phase === 'upgrade') upgradeBegan = monotonicNow();
      options.onAttempt({ type: 'phase', phase });
    },
    onTls: (finding) => options.onAttempt({ type: 'tls', ...finding }),
  });
  const roundTripMs = monotonicNow() - upgradeBegan;
  options.onAttempt({ type: 'phase', phase: 'handshake' });
  try {
    const inHeader = responseHeaders[HANDSHAKE_HEADER];
    const message2 =
      typeof inHeader === 'string'
        ? Buffer.from(inHeader, 'base64url')
        : await exchange(webSocket, message1, options.dial.signal, began + options.dial.timeoutMs - monotonicNow());
    const { answer, serverKey } = initiator.readMessage2(message2);
    requireServerKey(serverKey, options);
    options.onAttempt({
      type: 'hello',
      version: answer.version,
      serverKey: Buffer.from(serverKey).toString('base64url'),
      expected: options.serverKey && options.keySource,
      isInUpgrade: typeof inHeader === 'string',
    });
    if (answer.version === 0) throw versionUnsupported(options);
    options.onAttempt({ type: 'phase', phase: 'acceptance' });
    const psk = await options.psk;
    webSocket.send(initiator.message3(options.makeHello(), psk));
    const readRefusal = (message: Uint8Array): TunnelError | undefined => {
      try {
        const refusal = initiator.openRefusal(message);
        return refusal && sealedRefusal(refusal);
      } catch (error) {
        if (!(error instanceof HandshakeError)) throw error;
        return new TunnelError('handshake-failed', { detail: error.message, cause: error });
      }
    };
    return {
      records: new RecordLink(webSocket, socket, initiator.transport, 'client', readRefusal),
      serverKey,
      features: answer.features,
      roundTripMs,
    };
  } catch (error) {
    webSocket.terminate();
    if (error instanceof HandshakeError)
      throw new TunnelError('handshake-failed', { detail: error.message, cause: error });
    throw error;
  }
}

/** Sealed, a server says only that the client's proof is not enough; anything else could come from an impostor at first contact. */
function sealedRefusal(refusal: Refusal): TunnelError {
  const isExpected = isErrorCode(refusal.code) && kindOf(refusal.code).refusal === 'at-handshake';
  return isExpected
    ? asError(refusal)
    : new TunnelError('handshake-failed', { detail: `an unexpected refusal: ${refusal.code}` });
}

/**
 * What an authenticated refusal means. A code of a later version, or one that is not a server's to say, becomes `otherwise`,
 * a reason to try again.
 */
export function asError(refusal: Refusal, otherwise: ErrorCode = 'link-closed'): TunnelError {
  const { code, detail, retryAfterMs } = refusal;
  const isKnown = isErrorCode(code) && isBelieved(code);
  return new TunnelError(isKnown ? code : otherwise, {
    detail: isKnown ? detail : `${code} ${detail}`.trim(),
    authenticated: true,
    ...(retryAfterMs > 0 && { retryAfterMs }),
  });
}

function isBelieved(code: ErrorCode): boolean {
  const { disposition, refusal } = kindOf(code);
  return disposition !== 'fatal' || refusal !== undefined;
}

/** Messages 1 and 2 inside the WebSocket, where the upgrade did not carry them: something in between dropped the header. */
function exchange(
  webSocket: WebSocket,
  message1: Uint8Array,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => settle(() => reject(new TunnelError('attempt-timeout', { detail: 'given up during the handshake' }))),
      timeoutMs,
    );
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      webSocket.off('message', onMessage);
      webSocket.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onMessage = (data: Buffer): void => {
      webSocket.pause();
      settle(() => resolve(data));
    };
    const onClose = (code: number): void =>
      settle(() =>
        reject(new TunnelError('handshake-failed', { detail: `the server ended it (WebSocket code ${code})` })),
      );
    const onAbort = (): void => settle(() => reject(new TunnelError('stopped', { cause: signal.reason })));
    webSocket.on('message', onMessage);
    webSocket.on('close', onClose);
    signal.addEventListener('abort', onAbort);
    webSocket.resume();
    webSocket.send(message1);
  });
}

function requireServerKey(serverKey: Uint8Array, options: EstablishOptions): void {
  if (!options.serverKey || constantTimeEqual(serverKey, options.serverKey)) return;
  throw new TunnelError('server-key-changed', {
    detail: `its key is ${fingerprint(serverKey)}, and ${fingerprint(options.serverKey)} was expected (${options.keySource})`,
    ...(options.keyHint !== undefined && { hint: options.keyHint }),
  });
}

/** Only a server that is known is believed; anybody could say so otherwise. */
function versionUnsupported(options: EstablishOptions): TunnelError {
  return options.serverKey
    ? new TunnelError('version-unsupported', { detail: `this client speaks version ${PROTOCOL_VERSION}` })
    : new TunnelError('handshake-failed', { detail: 'an unknown server reports that no protocol version fits' });
}
