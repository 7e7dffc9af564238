import type { OutputPlace } from '../output/output.ts';
import type { OutputSettings } from '../output/output-settings.ts';

/** What a command gets from its process. */
export interface Context extends OutputPlace {
  readonly version: string;
  /** How this program is started, for lines that people copy: `tunnel`, or its equivalent in a checkout. */
  readonly command: string;
  /** Where this program's bundle is, and beside it the pages that it serves. */
  readonly bundleFolder: URL;
  /** Call it as soon as the format is known: problems before the output is open are then reported in it, too. */
  readonly outputIs: (output: OutputSettings['output']) => void;
}
