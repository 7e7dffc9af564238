import { readFileSync } from 'node:fs';

import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';

// src/ and dist/ are siblings, so the same path finds the manifest from the source and from the bundle.
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };

await yargs(hideBin(process.argv))
  .scriptName('tunnel')
  .locale('en')
  .version(manifest.version)
  .showHelpOnFail(false)
  .strict()
  .parseAsync();
