import type { OutputPlace } from '../output/output.ts';
import type { OutputSettings } from '../output/output-settings.ts';

/** What a command gets from the process it runs in. */
export interface Context extends OutputPlace {
  readonly version: string;
  /** What starts this program, for lines that people copy: `tunnel`, or what stands for it in a checkout. */
  readonly command: string;
  /** To be called as soon as it is known: what goes wrong before the output is open is told in the same way. */
  readonly outputIs: (output: OutputSettings['output']) => void;
}
