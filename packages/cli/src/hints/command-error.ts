import { type ErrorCode, TunnelError, type TunnelErrorOptions } from '@tunnel/shared';

export interface CommandErrorOptions extends Omit<TunnelErrorOptions, 'hint'> {
  /** What to do, in words. */
  readonly hint: string;
}

/** A failure of the command itself, which has its own advice: flags, files, mistyped words. */
export class CommandError extends TunnelError {
  readonly advice: string;

  constructor(code: ErrorCode, { hint, ...options }: CommandErrorOptions) {
    super(code, options);
    this.advice = hint;
  }
}
