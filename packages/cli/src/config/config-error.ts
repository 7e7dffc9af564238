import { ADVICE_BY_CODE } from '../hints/words.ts';
import { CommandError } from '../hints/command-error.ts';
import type { Position } from './toml.ts';

/** Something wrong in a configuration file. */
export interface Problem {
  /** Undefined if the text begins with the position. */
  readonly at: Position | undefined;
  /** The key with its tables, as in `tunnels.web.port`; empty if it concerns more than one. */
  readonly key: string;
  readonly text: string;
}

/** All problems in one configuration file, in file order. Values that may be secret are never shown. */
export class ConfigError extends CommandError {
  /** One for each problem. */
  readonly lines: readonly string[];

  /** `hint`: for better advice than to correct the file. */
  constructor(path: string, problems: readonly Problem[], hint = ADVICE_BY_CODE['config-unusable'].text) {
    const lines = problems
      .toSorted((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0) || (a.at?.column ?? 0) - (b.at?.column ?? 0))
      .map(({ at, key, text }) => {
        const place = at === undefined ? '' : `${path}:${at.line}:${at.column}: `;
        return `${place}${key === '' ? '' : `${key}: `}${text}`;
      });
    super('config-unusable', { detail: lines.join('; '), hint });
    this.lines = lines;
  }
}
