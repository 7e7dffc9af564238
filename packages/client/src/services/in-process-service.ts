import { TunnelError } from '@tunnel/shared';
import { IdleTimeout } from './idle-timeout.ts';
import type { ConnectionServer, LocalTarget, TunnelOptions, VisitorHandler } from '../options.ts';
import type { VisitorEnds } from '@tunnel/shared/node';
import type { Visit, VisitorService } from './visitor-service.ts';
import { VisitorSocket } from '@tunnel/shared/node';

/** How events and the server are told of a target in this process. */
export const IN_PROCESS = { host: 'in-process', port: 0 } as const satisfies LocalTarget;

type InProcessTarget = VisitorHandler | ConnectionServer;

export interface InProcessServiceOptions {
  readonly target: InProcessTarget;
  /** A connection on which nothing moved for so long, in ms, is reset; undefined for never. */
  readonly idleTimeoutMs: number | undefined;
  readonly onFailure: (error: TunnelError) => void;
  /** A visitor was reset by the idle timeout. */
  readonly onIdle: (visitor: VisitorEnds) => void;
}

/** Whether visitors are served in this process. */
export function isInProcess(target: TunnelOptions['target']): target is InProcessTarget {
  return typeof target === 'function' || 'emit' in target;
}

/** Hands visitors to a function or a server of this process, without a port between. */
export class InProcessService implements VisitorService {
  readonly target: LocalTarget = IN_PROCESS;
  readonly #options: InProcessServiceOptions;
  readonly #idle: IdleTimeout | undefined;
  #isClosed = false;

  constructor(options: InProcessServiceOptions) {
    this.#options = options;
    if (options.idleTimeoutMs !== undefined) this.#idle = new IdleTimeout(options.idleTimeoutMs);
  }

  get isOver(): boolean {
    return this.#isClosed && (this.#idle?.isUnused ?? true);
  }

  lookAtStart(): void {}

  serve({ pipe, addresses, header, answers }: Visit): void {
    const { target } = this.#options;
    const { tunnel, program } = VisitorSocket.pair(
      addresses,
      typeof target === 'function'
        ? { allowHalfOpen: true, resetOn: 'error' }
        : { allowHalfOpen: target.allowHalfOpen ?? true, resetOn: 'loss' },
    );
    if (header) tunnel.write(header);
    const end = (): void => {
      pipe.reset('stream-idle');
      this.#options.onIdle(addresses);
    };
    this.#idle?.watch({ socket: tunnel, answers, end });
    pipe.attach(tunnel);
    // Apart from the session, which has more to do with the record that this visitor came in.
    void Promise.resolve().then(() => this.#hand(program));
  }

  restartIdleTimeout(): void {
    this.#idle?.restart();
  }

  close(): void {
    this.#isClosed = true;
  }

  async #hand(visitor: VisitorSocket): Promise<void> {
    const { target, onFailure } = this.#options;
    if (visitor.destroyed) return;
    try {
      if (typeof target === 'function') await target(visitor);
      else target.emit('connection', visitor);
    } catch (cause) {
      // Whoever serves a visitor that leaves may well fail.
      const { wasLeft } = visitor;
      visitor.resetAndDestroy();
      const detail = cause instanceof Error ? cause.message : String(cause);
      if (!wasLeft) onFailure(new TunnelError('handler-failed', { detail, cause }));
    }
  }
}
