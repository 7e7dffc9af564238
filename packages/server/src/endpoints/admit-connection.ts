import type { PipeSocket } from '@tunnel/shared/node';
import type { VisitorAttributes, VisitorHandlers } from './endpoint.ts';

/** For kinds whose visitors are connections: lets one in on which nothing was read yet, or resets it. */
export function admitConnection(
  { enter }: VisitorHandlers,
  connection: PipeSocket,
  attributes: VisitorAttributes,
): void {
  const visit = enter(attributes.address);
  if (visit === 'gone') {
    connection.on('error', () => {}).destroy();
    return;
  }
  if (typeof visit === 'string') {
    turnAway(connection);
    return;
  }
  if (visit.open(connection, attributes) === undefined) {
    connection.once('close', () => visit.end());
    return;
  }
  turnAway(connection);
  visit.end();
}

function turnAway(connection: PipeSocket): void {
  connection.on('error', () => {});
  connection.resetAndDestroy();
}
