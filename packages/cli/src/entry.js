// The entry point of `tunnel`. Node resolves all imports before it runs anything, so an old one dies of a SyntaxError over some
// export it lacks. This file checks the version first and imports the command only if it can run.
import { refusalOfNode } from './node-version.js';

const refusal = refusalOfNode(process.versions.node);
if (refusal === undefined) {
  // Next to this file in dist. Not awaited: an old Node cannot parse top-level `await`.
  void import('./main.js');
} else {
  for (const line of refusal) console.error(line);
  process.exitCode = 2;
}
