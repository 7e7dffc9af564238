import { cpus, loadavg, totalmem } from 'node:os';
import { PATH_NAMES, type PathName, type Row, type Target } from './scenario.ts';
import { median } from './statistics.ts';

/** A row with its medians, and what they say of its target. */
export interface Result extends Row {
  readonly medians: Readonly<Partial<Record<PathName, number>>>;
  /** `tunnel` by what the target compares it with; by `direct` where it compares with nothing. */
  readonly ratio?: number;
  /** Undefined without a target, and where what it compares with was not measured. */
  readonly isMet?: boolean;
}

/** The machine and the moment, which figures depend on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly loadAverage: readonly number[];
}

export function judge(row: Row): Result {
  const medians: Partial<Record<PathName, number>> = {};
  for (const path of PATH_NAMES) {
    const values = row.rounds.flatMap((round) => round[path] ?? []);
    if (values.length > 0) medians[path] = median(values);
  }
  const { tunnel } = medians;
  const reference = medians[row.target && 'of' in row.target ? row.target.of : 'direct'];
  const ratio = tunnel !== undefined && reference !== undefined ? tunnel / reference : undefined;
  const isMet = row.target && tunnel !== undefined ? meets(row.target, tunnel, ratio) : undefined;
  return { ...row, medians, ...(ratio !== undefined && { ratio }), ...(isMet !== undefined && { isMet }) };
}

function meets(target: Target, value: number, ratio: number | undefined): boolean | undefined {
  switch (target.kind) {
    case 'at-least':
      return value >= target.value;
    case 'at-most':
      return value <= target.value;
    case 'at-least-times':
      return ratio === undefined ? undefined : ratio >= target.times;
    case 'at-most-times':
      return ratio === undefined ? undefined : ratio <= target.times;
  }
}

export function describeMachine(): Machine {
  const [first] = cpus();
  return {
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    loadAverage: loadavg().map((load) => Math.round(load * 100) / 100),
  };
}
