import type { Client } from '@tunnel/client';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError } from '@tunnel/shared/node';
import { type Output, warn } from '../output/output.ts';
import { serveControl } from './control-server.ts';

/** As `serveControl`. Without it the tunnel does its work all the same: where it cannot be, that is a warning. */
export async function openControl(
  directory: string,
  client: Client,
  output: Output,
): Promise<AsyncDisposable | undefined> {
  try {
    return await serveControl(directory, client);
  } catch (error) {
    const reason = error instanceof TunnelError ? error.detail : describeSystemError(error);
    warn(
      output,
      `\`tunnel status\` will not show this process: ${reason}`,
      'move away what is in its place, or make room there; the tunnel itself goes on',
    );
    return undefined;
  }
}
