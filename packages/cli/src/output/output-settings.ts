export const OUTPUTS = ['text', 'json'] as const;
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export const LOG_FORMATS = ['pretty', 'json'] as const;

/** The requested form of the output. */
export interface OutputSettings {
  readonly output: (typeof OUTPUTS)[number];
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** Undefined: whatever suits the destination. */
  readonly logFormat: (typeof LOG_FORMATS)[number] | undefined;
  /** Whether logs were explicitly requested, so that they are shown on a terminal, too. */
  readonly wantsLogs: boolean;
}
