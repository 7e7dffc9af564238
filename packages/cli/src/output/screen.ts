import type { WriteStream } from 'node:tty';
import type { LineWriter } from './line-writer.ts';

// The alternate screen of xterm, which all terminals have: the previous content comes back at the end.
const ENTER = '\u001b[?1049h';
const LEAVE = '\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_TO_END_OF_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

// A terminal whose size was never set reports 0x0. This is the classic default.
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/**
 * Draws one full-screen frame after another until `end`. While the program is stopped (Ctrl-Z) the terminal is
 * restored.
 */
export class Screen {
  readonly #writer: LineWriter;
  readonly #terminal: WriteStream;
  #lines: readonly string[] = [];

  constructor(writer: LineWriter, terminal: WriteStream) {
    this.#writer = writer;
    this.#terminal = terminal;
    terminal.on('resize', this.#redraw);
    process.on('SIGTSTP', this.#suspend);
    process.on('SIGCONT', this.#resume);
    writer.write(ENTER);
  }

  get columns(): number {
    return this.#terminal.columns || DEFAULT_COLUMNS;
  }

  draw(lines: readonly string[]): void {
    this.#lines = lines;
    this.#redraw();
  }

  /** Restores the terminal, leaving these lines on it. */
  end(lines: readonly string[]): void {
    this.#terminal.off('resize', this.#redraw);
    process.off('SIGTSTP', this.#suspend);
    process.off('SIGCONT', this.#resume);
    this.#writer.write(LEAVE + lines.join('\n'));
  }

  readonly #redraw = (): void => {
    const lines = fit(this.#lines, this.columns, this.#terminal.rows || DEFAULT_ROWS);
    this.#writer.write(HOME + lines.map((line) => line + CLEAR_TO_END_OF_LINE).join('\n') + CLEAR_BELOW);
  };

  readonly #suspend = (): void => {
    this.#writer.write(LEAVE);
    process.kill(process.pid, 'SIGSTOP');
  };

  readonly #resume = (): void => {
    this.#writer.write(ENTER);
    this.#redraw();
  };
}

/** The part that fits with the last row left empty: a line end after it would scroll everything up. */
function fit(lines: readonly string[], columns: number, rows: number): readonly string[] {
  const folded = lines.flatMap((line) => {
    const parts: string[] = [];
    for (let at = 0; at < line.length || at === 0; at += columns) parts.push(line.slice(at, at + columns));
    return parts;
  });
  const room = Math.max(1, rows - 1);
  if (folded.length <= room) return folded;
  const hidden = folded.length - room + 1;
  return [...folded.slice(0, room - 1), `… ${hidden} more lines; a larger window shows them`.slice(0, columns)];
}
