// Malformed and odd requests, each sent to nginx and through the tunnel, and what reaches the service behind them.
// After a change: npx vitest run --project e2e test/http-corpus.test.ts --update
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Allowance, allowanceFor, allowances } from './http-corpus/allowances.ts';
import { corpus } from './http-corpus/corpus.ts';
import { exchange } from './http-corpus/exchange.ts';
import { type Front, nginxVersion, startCarelessFront, startNginx, startTunnel } from './http-corpus/front.ts';
import { judge } from './http-corpus/judgement.ts';
import { describeOutcome } from './http-corpus/outcome.ts';
import {
  formatOutcomeList,
  type OutcomeList,
  parseOutcomeList,
  type RecordedOutcome,
} from './http-corpus/outcome-list.ts';
import { RecordingService } from './http-corpus/recording-service.ts';
import { findProgram, requirePrograms } from './support/program.ts';

const OUTCOMES = join(import.meta.dirname, 'http-corpus', 'outcomes.txt');

test('nginx is here to compare with', (context) => {
  requirePrograms(context, 'nginx');
  expect(new Set(corpus.map(({ name }) => name)).size).toBe(corpus.length);
});

describe.skipIf(findProgram('nginx') === undefined)('what the tunnel passes on, beside nginx', () => {
  let service: RecordingService;
  let nginx: Front;
  let tunnel: Front;
  let careless: Front;
  let recorded: OutcomeList;
  let version: string;
  const seen = new Map<string, RecordedOutcome>();
  const usedAllowances = new Set<Allowance>();

  beforeAll(async () => {
    recorded = parseOutcomeList(await readFile(OUTCOMES, 'utf8').catch(() => ''));
    version = await nginxVersion();
    service = await RecordingService.start();
    nginx = await startNginx(service.port);
    tunnel = await startTunnel(service.port);
    careless = await startCarelessFront(service.port);
  });

  afterAll(async () => {
    for (const part of [careless, tunnel, nginx, service]) await part[Symbol.asyncDispose]();
  });

  test.each(corpus)('$name', async (entry) => {
    const onRecord = recorded.outcomes.get(entry.name);
    const viaNginx = await exchange(entry, nginx, service, onRecord?.nginx);
    const viaTunnel = await exchange(entry, tunnel, service, onRecord?.tunnel);
    seen.set(entry.name, { nginx: describeOutcome(entry, viaNginx), tunnel: describeOutcome(entry, viaTunnel) });

    const { unsafe, beyondNginx } = judge(viaTunnel, viaNginx);
    const unexplained = beyondNginx.filter((difference) => {
      const allowance = allowanceFor(entry, difference);
      if (allowance !== undefined) usedAllowances.add(allowance);
      return allowance === undefined;
    });
    expect({ unsafe, unexplained }).toEqual({ unsafe: [], unexplained: [] });
  });

  // Later ones differ in details, which are judged all the same.
  test.runIf(process.versions.node.startsWith('20.'))('the outcomes are those on record', async () => {
    // Versions of nginx differ in details that are not the tunnel's.
    const isSameNginx = recorded.nginxVersion === '' || recorded.nginxVersion === version;
    const outcomes = new Map<string, RecordedOutcome>();
    for (const { name } of corpus) {
      const before = recorded.outcomes.get(name);
      const now = seen.get(name) ?? before;
      if (now) outcomes.set(name, isSameNginx ? now : { ...now, nginx: before?.nginx ?? now.nginx });
    }
    const nginxVersion = isSameNginx ? version : recorded.nginxVersion;
    await expect(formatOutcomeList({ nginxVersion, outcomes })).toMatchFileSnapshot(OUTCOMES);
  });

  test('no allowance is there for nothing', () => {
    expect(
      allowances.filter((allowance) => allowance.dependsOnNode !== true && !usedAllowances.has(allowance)),
    ).toEqual([]);
  });

  test.each([
    ['gzip before chunked', 'unsafe'],
    ['a bad request, and a good one later', 'unsafe'],
    ['two Hosts, the first another one', 'beyondNginx'],
    ['an absolute target with userinfo', 'beyondNginx'],
  ] as const)('a careless front is caught: %s (%s)', async (name, kind) => {
    const entry = corpus.find((candidate) => candidate.name === name)!;
    const viaNginx = await exchange(entry, nginx, service, recorded.outcomes.get(name)?.nginx);
    expect(judge(await exchange(entry, careless, service, undefined), viaNginx)[kind]).not.toEqual([]);
  });
});
