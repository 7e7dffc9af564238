import type { Machine, Result } from './result.ts';
import { PATH_NAMES, type PathName, type Target } from './scenario.ts';

/** Figures are in the columns from here on, up to the ratio. */
const FIRST_FIGURE = 3;

const HEADER = ['row', 'what', 'unit', ...PATH_NAMES.map(titleOf), 'ratio', 'target', 'met'];

/** Columns padded to their widest cell. */
export function textTable(results: readonly Result[]): string {
  const lines = [HEADER, ...results.map(cells)];
  const widths = HEADER.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => pad(cell, widths[column] ?? 0, column))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A table of Markdown. */
export function markdownTable(results: readonly Result[]): string {
  const row = (line: readonly string[]): string => `| ${line.join(' | ')} |`;
  const ruler = HEADER.map((_, column) => (isFigure(column) ? '---:' : '---'));
  return [HEADER, ruler, ...results.map(cells)].map(row).join('\n');
}

/** The machine in one line. */
export function machineLine({ cpu, cores, memoryGiB, node, loadAverage }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, load average ${loadAverage.join(' ')} at the start`;
}

function cells({ name, what, unit, medians, ratio, target, isMet }: Result): string[] {
  return [
    name,
    what,
    unit,
    ...PATH_NAMES.map((path) => figure(medians[path])),
    figure(ratio),
    target === undefined ? '' : describeTarget(target),
    isMet === undefined ? '' : isMet ? 'yes' : 'no',
  ];
}

function describeTarget(target: Target): string {
  switch (target.kind) {
    case 'at-least':
      return `>= ${target.value}`;
    case 'at-most':
      return `<= ${target.value}`;
    case 'at-least-times':
      return `>= ${target.times} × ${target.of}`;
    case 'at-most-times':
      return `<= ${target.times} × ${target.of}`;
  }
}

function titleOf(path: PathName): string {
  return path === 'ssh' ? 'ssh -R' : path;
}

/** Three digits say more than can be measured here. */
function figure(value: number | undefined): string {
  if (value === undefined) return '';
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function isFigure(column: number): boolean {
  return column >= FIRST_FIGURE && column <= FIRST_FIGURE + PATH_NAMES.length;
}

function pad(cell: string, width: number, column: number): string {
  return isFigure(column) ? cell.padStart(width) : cell.padEnd(width);
}
