// The entry point of `tunnel`. Node resolves all imports before it runs anything, so an old version fails with a
// SyntaxError about some missing export. This file checks the version first and imports the command only if it can run.
import { refusalOfNode } from './node-version.js';
import { threadPoolSize } from './thread-pool.js';

const refusal = refusalOfNode(process.versions.node);
if (refusal === undefined) {
  // The pool reads this variable on first use, which is when an ES module is loaded, so this file is built as CommonJS.
  const size = threadPoolSize(process.platform, process.env.UV_THREADPOOL_SIZE);
  if (size !== undefined) process.env.UV_THREADPOOL_SIZE = size;
  // Next to this file in dist. Not awaited: an old Node cannot parse top-level `await`.
  void import('./main.mjs');
} else {
  for (const line of refusal) console.error(line);
  process.exitCode = 2;
}
