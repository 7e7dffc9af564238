import { type ErrorCode, TunnelError, type TunnelErrorOptions } from '@tunnel/shared';

export interface CommandErrorOptions extends Omit<TunnelErrorOptions, 'hint'> {
  /** What to do, in words. */
  readonly hint: string;
}

/** A failure of the command itself, which knows its own words for what to do: flags, files, mistyped words. */
export class CommandError extends TunnelError {
  readonly advice: string;

  constructor(code: ErrorCode, { hint, ...options }: CommandErrorOptions) {
    super(code, options);
    this.advice = hint;
  }
}
