import { TunnelError } from '@tunnel/shared';

/** A value as the user gave it, and where: `--port`, `TUNNEL_PORT`. */
export interface Given {
  readonly text: string;
  readonly source: string;
}

/** A usage error that names where the value came from, and the value. */
export function unusable({ text, source }: Given, reason: string, hint?: string): TunnelError {
  const shown = text === '' ? 'nothing' : text;
  return new TunnelError('usage', { detail: `${source} ${shown}: ${reason}`, ...(hint === undefined ? {} : { hint }) });
}
