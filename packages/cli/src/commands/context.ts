import type { OutputSettings } from '../settings/common-flags.ts';
import type { Environment } from '../settings/flags.ts';
import type { Output, Writers } from '../output/output.ts';

/** What a command gets from the process it runs in. */
export interface Context {
  readonly version: string;
  /** What starts this program, for lines that people copy: `tunnel`, or what stands for it in a checkout. */
  readonly command: string;
  readonly environment: Environment;
  readonly writers: Writers;
  /** To be called as soon as it is known: what goes wrong before the output is open is told in the same way. */
  readonly outputIs: (output: OutputSettings['output']) => void;
  /** Called once there is an output: what ends the program from then on is told in its format. */
  readonly outputOpened: (output: Output) => void;
}
