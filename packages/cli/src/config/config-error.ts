import { TunnelError } from '@tunnel/shared';
import type { Position } from './toml.ts';

/** Something wrong in a configuration file. */
export interface Problem {
  /** Undefined where the text begins with it. */
  readonly at: Position | undefined;
  /** The key with its tables, as in `tunnels.web.port`; empty where it is about more than one. */
  readonly key: string;
  readonly text: string;
}

/** Everything that is wrong in one configuration file, in its order. Of values that may be secret nothing is told. */
export class ConfigError extends TunnelError {
  /** One for each problem. */
  readonly lines: readonly string[];

  /** `hint`: in place of the registry's. */
  constructor(path: string, problems: readonly Problem[], hint?: string) {
    const lines = problems
      .toSorted((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0) || (a.at?.column ?? 0) - (b.at?.column ?? 0))
      .map(({ at, key, text }) => {
        const place = at === undefined ? '' : `${path}:${at.line}:${at.column}: `;
        return `${place}${key === '' ? '' : `${key}: `}${text}`;
      });
    super('config-unusable', { detail: lines.join('; '), ...(hint !== undefined && { hint }) });
    this.lines = lines;
  }
}
