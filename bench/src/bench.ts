// Measures what docs/performance.md tells, and prints it. A target that is missed is no failure: whoever reads decides.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine, judge, type Result } from './result.ts';
import type { Scenario, Settings } from './scenario.ts';
import { bulk } from './scenarios/bulk.ts';
import { connections } from './scenarios/connections.ts';
import { http } from './scenarios/http.ts';
import { firstByte } from './scenarios/first-byte.ts';
import { handshakes } from './scenarios/handshakes.ts';
import { idleSessions } from './scenarios/idle-sessions.ts';
import { longFat } from './scenarios/long-fat.ts';
import { openStreams } from './scenarios/open-streams.ts';
import { roundTripBesideBulk } from './scenarios/round-trip-beside-bulk.ts';
import { roundTrip } from './scenarios/round-trip.ts';
import { start } from './scenarios/start.ts';
import { streams } from './scenarios/streams.ts';
import { hasSsh } from './paths.ts';
import { machineLine, markdownTable, textTable } from './table.ts';

const scenarios: readonly Scenario[] = [
  bulk,
  streams,
  roundTrip,
  roundTripBesideBulk,
  connections,
  http,
  firstByte,
  longFat,
  idleSessions,
  openStreams,
  start,
  handshakes,
];

const FULL: Settings = { rounds: 3, measureMs: 2_000, warmUpMs: 1_000, withOthers: true };
const QUICK: Settings = { rounds: 1, measureMs: 500, warmUpMs: 300, withOthers: false };

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    json: { type: 'string' },
    markdown: { type: 'boolean', default: false },
  },
});

const settings: Settings = {
  ...(values.quick ? QUICK : FULL),
  ...(values.rounds !== undefined && { rounds: Number(values.rounds) }),
};
if (!Number.isInteger(settings.rounds) || settings.rounds < 1) refuse('--rounds wants a whole number above 0');

const known = scenarios.flatMap(({ names }) => names);
const wanted =
  values.only?.split(',') ?? scenarios.filter(({ isQuick }) => isQuick || !values.quick).flatMap(({ names }) => names);
for (const name of wanted) if (!known.includes(name)) refuse(`no row ${name}; there are ${known.join(', ')}`);

if (settings.withOthers && !hasSsh()) {
  console.error('ssh -R is not measured: install openssh-server and openssh-client');
}
const machine = describeMachine();
const results: Result[] = [];
for (const scenario of scenarios) {
  const names = scenario.names.filter((name) => wanted.includes(name));
  if (names.length === 0) continue;
  console.error(`measuring ${names.join(', ')}`);
  try {
    const rows = await scenario.measure(settings);
    results.push(...rows.filter(({ name }) => names.includes(name)).map(judge));
  } catch (error) {
    // The other rows are worth having all the same.
    console.error(`error: ${names.join(', ')} could not be measured:`, error);
    process.exitCode = 1;
  }
}

console.log(`${machineLine(machine)}\n`);
console.log(values.markdown ? markdownTable(results) : textTable(results));
if (values.json !== undefined) {
  const report = { time: new Date().toISOString(), machine, settings, results };
  // npm runs scripts in the root; a path means what it means to whoever typed it.
  writeFileSync(resolve(process.env['INIT_CWD'] ?? '.', values.json), `${JSON.stringify(report, null, 2)}\n`);
}

function refuse(message: string): never {
  console.error(`error: ${message}`);
  process.exit(2);
}
