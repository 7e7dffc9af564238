// Installs what is missing, unless this Node is too old: it could not even parse the script that does the work.
import { refusalOfNode } from '../packages/cli/src/node-version.js';

const refusal = refusalOfNode(process.versions.node);
if (refusal === undefined) {
  void import('./install.mjs');
} else {
  for (const line of refusal) console.error(line);
  process.exitCode = 2;
}
