export const OUTPUTS = ['text', 'json'] as const;
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export const LOG_FORMATS = ['pretty', 'json'] as const;

/** What was asked of the output. */
export interface OutputSettings {
  readonly output: (typeof OUTPUTS)[number];
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** Undefined: as it suits where the logs go. */
  readonly logFormat: (typeof LOG_FORMATS)[number] | undefined;
  /** Whether somebody asked for logs, so that they are wanted on a terminal, too. */
  readonly wantsLogs: boolean;
}
