import { styleText } from 'node:util';
import type { Emit } from '../reports/json-events.ts';
import { printable } from '../output/printable.ts';
import { fold } from '../reports/status-text.ts';
import { formatLatency } from './latency.ts';
import { type Step, STEP_TITLES } from './step.ts';
import type { Verdict } from './verdict.ts';

/** Reports findings as they come. */
export interface DoctorReport {
  step(step: Step): void;
  verdict(verdict: Verdict): void;
}

const STATE_COLUMNS = 9;
const TITLE_COLUMNS = 13;
const TIME_COLUMNS = 7;

const COLORS = { ok: 'green', warning: 'yellow', failed: 'red' } as const;

const FINDING_COLUMNS = STATE_COLUMNS + TITLE_COLUMNS + TIME_COLUMNS + 2;
/** With fewer columns than this for findings, lines are not wrapped. */
const MIN_FINDING_COLUMNS = 24;

export interface TextReportOptions {
  readonly hasColors: boolean;
  /** Findings are wrapped to this width; Infinity if it is unknown. */
  readonly columns: number;
}

/** A line for each step, and one for the verdict. */
export function textReport(print: (line: string) => void, { hasColors, columns }: TextReportOptions): DoctorReport {
  const room = columns - FINDING_COLUMNS;
  const foldFinding = (text: string): readonly string[] => (room < MIN_FINDING_COLUMNS ? [text] : fold(text, room));
  const paint = (state: Step['state'], text: string): string =>
    hasColors ? styleText(COLORS[state], text, { validateStream: false }) : text;
  return {
    step: ({ name, state, elapsedMs, finding }) => {
      const time = elapsedMs === undefined ? '' : formatLatency(elapsedMs);
      const title = STEP_TITLES[name].padEnd(TITLE_COLUMNS);
      const head = `${paint(state, state.padEnd(STATE_COLUMNS))}${title}${time.padStart(TIME_COLUMNS)}  `;
      const [first = '', ...rest] = foldFinding(printable(finding));
      print(head + first);
      for (const line of rest) print(' '.repeat(FINDING_COLUMNS) + line);
    },
    verdict: ({ state, text }) => {
      print('');
      print(paint(state, `verdict: ${printable(text)}`));
    },
  };
}

/** An event for each step, and one for the verdict. */
export function jsonReport(emit: Emit): DoctorReport {
  return {
    step: ({ name, state, elapsedMs, finding, trouble }) =>
      emit('step', {
        step: name,
        state,
        elapsedMs: elapsedMs === undefined ? null : Number(elapsedMs.toFixed(1)),
        finding,
        code: trouble?.code ?? null,
        hint: trouble?.hint ?? null,
      }),
    verdict: ({ state, exitCode, code, text }) => emit('verdict', { state, exitCode, code: code ?? null, text }),
  };
}
