import { TunnelError } from '@tunnel/shared';
import type { Cause } from '../events.ts';

/** As events tell it. */
export function causeOf(error: TunnelError): Cause {
  return { code: error.code, reason: error.message };
}

/** Whatever was thrown, as an error with a code. */
export function asTunnelError(error: unknown): TunnelError {
  if (error instanceof TunnelError) return error;
  return new TunnelError('internal', { detail: error instanceof Error ? error.message : String(error), cause: error });
}
