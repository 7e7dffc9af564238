import { isIP, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { LocalTarget } from '../options.ts';

/**
 * TLS to a local service. Its certificate is verified, but for one on this machine: nobody else can answer there, and hardly
 * any of these has a certificate that an authority gave. Rejects if there is no TLS, or none that is to be trusted.
 */
export function secureConnection(socket: Socket, target: LocalTarget, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const host = 'host' in target && isIP(target.host) === 0 ? target.host : undefined;
    const secure = connect({
      socket,
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: !isThisMachine(socket),
      ...(host !== undefined && { servername: host }),
    });
    const onAbort = (): void => {
      secure.destroy();
      socket.destroy();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    // Later errors belong to whoever has the socket then, and come with 'close'.
    secure.on('error', (error: Error) => {
      socket.destroy();
      reject(error);
    });
    secure.once('secureConnect', () => {
      signal.removeEventListener('abort', onAbort);
      // A TLSSocket cannot do that by itself.
      secure.resetAndDestroy = () => {
        socket.resetAndDestroy();
        return secure.destroy();
      };
      resolve(secure);
    });
  });
}

/** A Unix socket has no address. */
function isThisMachine({ remoteAddress }: Socket): boolean {
  return remoteAddress === undefined || /^(127\.|::1$|::ffff:127\.)/.test(remoteAddress);
}
