import { TunnelError } from '@tunnel/shared';
import { CommandError } from '../hints/command-error.ts';

/** A value as given by the user, and where it was given: `--port`, `TUNNEL_PORT`. */
export interface Given {
  readonly text: string;
  readonly source: string;
}

/** A usage error that names the source of the value and the value itself. */
export function unusable({ text, source }: Given, reason: string, hint?: string): TunnelError {
  const shown = text === '' ? 'nothing' : text;
  const detail = `${source} ${shown}: ${reason}`;
  return hint === undefined ? new TunnelError('usage', { detail }) : new CommandError('usage', { detail, hint });
}
