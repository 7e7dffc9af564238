import pino, { type Logger } from 'pino';
import type { LineWriter } from './line-writer.ts';

export interface LogSettings {
  readonly level: string;
  readonly format: 'pretty' | 'json';
  readonly colors: boolean;
}

/** A logger that writes to `writer`, one line for each call. */
export async function createLog(writer: LineWriter, settings: LogSettings): Promise<Logger> {
  // Used as a function: as a transport, pino-pretty runs in a thread of its own, loses the last lines, and cannot be
  // bundled.
  const pretty =
    settings.format === 'json'
      ? undefined
      : (await import('pino-pretty')).prettyFactory({
          colorize: settings.colors,
          ignore: 'pid,hostname',
          translateTime: 'SYS:HH:MM:ss',
          singleLine: true,
        });
  const logTo = (write: (line: string) => void): Logger =>
    pino(
      { level: settings.level, timestamp: pino.stdTimeFunctions.isoTime, base: { pid: process.pid } },
      { write: (line: string) => write((pretty === undefined ? line : pretty(line)).trimEnd()) },
    );
  const notices = logTo((line) => {
    if (writer.offer(line)) writer.droppedWereTold();
  });
  return logTo((line) => {
    const { dropped } = writer;
    if (dropped > 0) notices.warn({ dropped }, 'log lines were dropped: nobody read them, or the disk was full');
    writer.write(line);
  });
}
