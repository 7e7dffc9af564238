import type { PipeSocket } from '@tunnel/shared/node';

/** Resets a visitor's connection, on which nothing was read yet. */
export function turnAway(connection: PipeSocket): void {
  connection.on('error', () => {});
  connection.resetAndDestroy();
}
