// What `tunnel` is started with. An old Node could not even load the command: imports are resolved before anything runs, and
// end with a SyntaxError where a module of Node lacks a name. So this looks at the version first, and imports it after that.
import { refusalOfNode } from './node-version.js';

const refusal = refusalOfNode(process.versions.node);
if (refusal === undefined) {
  // Beside this file in dist. Not awaited: top-level `await` is syntax that an old Node does not know.
  void import('./main.js');
} else {
  for (const line of refusal) console.error(line);
  process.exitCode = 2;
}
