// Keeps the tables in docs/operations.md equal to what is exposed. After a change: npx vitest run metrics-document --update
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { adminPortOf, askAdmin } from './support/admin.ts';
import { readDocument } from './support/documents.ts';
import { requirePrograms, runProgram } from './support/program.ts';
import { startEcho } from './support/services.ts';
import { startTunnelProcesses } from './support/tunnel-processes.ts';
import { isAnswered } from './support/visitor.ts';

const SLOW = { timeout: 60_000 };

const document = join(import.meta.dirname, '../docs/operations.md');
const alertRules = join(import.meta.dirname, '../packaging/prometheus/tunnel-alerts.yml');

/** What Prometheus gives to every target by itself. */
const OWN_OF_PROMETHEUS = ['up'];

/** What both commands expose, after a visit. */
async function scrape(): Promise<{ readonly server: string; readonly client: string }> {
  await using echo = await startEcho();
  await using pair = await startTunnelProcesses(echo.port, ['--admin', '0']);
  expect(await isAnswered(pair.port)).toBe(true);
  const read = async (process: typeof pair.server): Promise<string> =>
    (await askAdmin(await adminPortOf(process), '/metrics')).body;
  return { server: await read(pair.server), client: await read(pair.client) };
}

/** Name, type and meaning of each metric, as Prometheus is told. */
function metricsOf(text: string): readonly (readonly [name: string, type: string, help: string])[] {
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]));
  return [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = '', help = '']) => [
    name,
    types.get(name) ?? '',
    help,
  ]);
}

function table(metrics: ReturnType<typeof metricsOf>): string {
  const rows = metrics.map(([name, type, help]) => `| \`${name}\` | ${type} | ${help} |`);
  return ['| metric | type | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

test('docs/operations.md has every metric, with its type and meaning', SLOW, async () => {
  const { server, client } = await scrape();
  const ofServer = metricsOf(server);
  const ofBoth = new Set(metricsOf(client).map(([name]) => name));
  const tables = {
    server: ofServer.filter(([name]) => !ofBoth.has(name)),
    client: metricsOf(client).filter(([name]) => !ofServer.some(([other]) => other === name)),
    process: ofServer.filter(([name]) => ofBoth.has(name)),
  };
  let wanted = readDocument('operations.md');
  for (const [name, metrics] of Object.entries(tables)) {
    const marks = new RegExp(`(<!-- ${name} metrics -->\\n).*?(\\n<!-- end -->)`, 's');
    if (!marks.test(wanted)) throw new Error(`docs/operations.md has lost its marks around the ${name} metrics`);
    wanted = wanted.replace(marks, (_all, before: string, after: string) => `${before}${table(metrics)}${after}`);
  }
  await expect(wanted).toMatchFileSnapshot(document);
});

test('promtool finds nothing wrong with the metrics', SLOW, async (context) => {
  requirePrograms(context, 'promtool');
  const { server, client } = await scrape();
  for (const metrics of [server, client]) {
    const { stderr } = await runProgram('promtool', ['check', 'metrics'], { input: metrics });
    expect(stderr.toString()).toBe('');
  }
});

test('the alert rules are sound, and about metrics that there are', SLOW, async (context) => {
  requirePrograms(context, 'promtool');
  await runProgram('promtool', ['check', 'rules', alertRules]);
  const { server, client } = await scrape();
  const known = new Set([...metricsOf(server), ...metricsOf(client)].map(([name]) => name));
  const rules = await readFile(alertRules, 'utf8');
  const expressions = [...rules.matchAll(/^ +expr: (.*)$/gm)].map(([, expression = '']) => expression);
  const named = expressions.flatMap((text) => text.match(/\b(?:tunnel|process|nodejs)_\w+|\bup\b/g) ?? []);
  expect(named).not.toEqual([]);
  expect(named.filter((name) => !known.has(name) && !OWN_OF_PROMETHEUS.includes(name))).toEqual([]);
});
