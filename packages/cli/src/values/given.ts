import { TunnelError } from '@tunnel/shared';
import { CommandError } from '../hints/command-error.ts';

/** A value as the user gave it, and where: `--port`, `TUNNEL_PORT`. */
export interface Given {
  readonly text: string;
  readonly source: string;
}

/** A usage error that names where the value came from, and the value. */
export function unusable({ text, source }: Given, reason: string, hint?: string): TunnelError {
  const shown = text === '' ? 'nothing' : text;
  const detail = `${source} ${shown}: ${reason}`;
  return hint === undefined ? new TunnelError('usage', { detail }) : new CommandError('usage', { detail, hint });
}
