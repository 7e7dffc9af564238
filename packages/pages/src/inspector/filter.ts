import type { ExchangeSummary } from '../api/inspector.ts';

export interface Filter {
  readonly method: string;
  /** A class such as `4xx`, or a status such as `404` or `40`. */
  readonly status: string;
  readonly path: string;
  /** Looked for by the program, in heads, bodies and messages. */
  readonly text: string;
}

export const NO_FILTER: Filter = { method: '', status: '', path: '', text: '' };

/** Those that it lets through. `containing`: the ids of those with its text. */
export function filtered(
  exchanges: readonly ExchangeSummary[],
  { method, status, path }: Filter,
  containing: ReadonlySet<number> | undefined,
): readonly ExchangeSummary[] {
  const start = status.replace(/x+$/i, '');
  const part = path.toLowerCase();
  return exchanges.filter(
    (exchange) =>
      (method === '' || exchange.method === method) &&
      String(exchange.status ?? '').startsWith(start) &&
      exchange.path.toLowerCase().includes(part) &&
      (containing === undefined || containing.has(exchange.id)),
  );
}
