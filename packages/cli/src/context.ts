import type { Environment } from './flags.ts';
import type { Writers } from './output/output.ts';

/** What a command gets from the process it runs in. */
export interface Context {
  readonly version: string;
  readonly environment: Environment;
  readonly writers: Writers;
}
