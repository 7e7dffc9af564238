// Installs what is missing, where this Node will do: an old one could not even read the script that does it.
import { refusalOfNode } from '../packages/cli/src/node-version.js';

const refusal = refusalOfNode(process.versions.node);
if (refusal === undefined) {
  void import('./install.mjs');
} else {
  for (const line of refusal) console.error(line);
  process.exitCode = 2;
}
