// Runs every check, stops at the first that fails, and ends with the number of tests on a line of its own.
// Arguments go to vitest: `npm test -- architecture`.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { programCall } from './program-call.mjs';

const root = join(import.meta.dirname, '..');
const resultFile = join(root, '.test-results', 'vitest.json');
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${resultFile}`];

const steps = [
  ['format', 'prettier', '--log-level', 'warn', '--check', '.'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['types', 'tsc', '-b'],
  ['unused', 'knip'],
  ['tests', 'vitest', 'run', ...reporters, ...process.argv.slice(2)],
];

/** A file that could not even be loaded has no failed test in it, and still counts as one. */
function countTests() {
  const result = JSON.parse(readFileSync(resultFile, 'utf8'));
  const brokenFiles = result.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + brokenFiles.length,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

mkdirSync(join(root, '.test-results'), { recursive: true });
rmSync(resultFile, { force: true });

// vitest colours even what goes to a file.
const env = process.stdout.isTTY ? process.env : { ...process.env, NO_COLOR: '1' };

let failedStep;
for (const [name, command, ...words] of steps) {
  console.log(`== ${name}`);
  const { file, args, options } = programCall(join(root, 'node_modules/.bin', command), words);
  const { status, error } = spawnSync(file, args, { cwd: root, env, stdio: 'inherit', ...options });
  if (status === 0) continue;
  if (error !== undefined) console.error(error.message);
  failedStep = name;
  break;
}

let counts = { passed: 0, failed: 0, skipped: 0 };
try {
  counts = countTests();
} catch (error) {
  // No result where an earlier step failed; anywhere else that is a failure of its own.
  if (error.code !== 'ENOENT') throw error;
  failedStep ??= 'tests';
}
if (failedStep !== undefined) {
  console.log(`failed: ${failedStep}`);
  // A failed check before the tests, or an error outside of any test, is one failure.
  counts.failed = Math.max(counts.failed, 1);
  process.exitCode = 1;
}
if (counts.skipped > 0) console.log(`${counts.skipped} skipped`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
