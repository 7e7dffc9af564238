import type { LocalTarget } from '../options.ts';
import type { StreamPipe, VisitorEnds } from '@tunnel/shared/node';

/** A visitor's connection that is to be joined to the service. */
export interface Visit {
  readonly pipe: StreamPipe;
  readonly addresses: VisitorEnds;
  /** Goes to the service before everything that the visitor says. */
  readonly header: Uint8Array | undefined;
  /** Whether the link to the server lives, asked just now. */
  readonly answers: () => Promise<boolean>;
}

/** What stands behind a tunnel. */
export interface VisitorService {
  /** As events tell it. */
  readonly target: LocalTarget;
  /** Looks once whether anything is there, and tells where nothing is. */
  lookAtStart(): void;
  serve(visit: Visit): void;
  /** There is a link again. */
  restartIdleTimeout(): void;
  /** Resets who still waits for the service, and tells what was not told yet. Connections that were made go on. */
  close(): void;
  /** Closed, and nothing that has an idle timeout goes on. */
  readonly isOver: boolean;
}
