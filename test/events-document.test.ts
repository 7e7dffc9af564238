// Holds docs/events.md to what the command emits with `--output json`.
import { expect, test } from 'vitest';
import type { TunnelEvent } from './support/command.ts';
import { eventsInCode, eventsInDocument, faultsOf } from './support/event-schema.ts';
import { startEcho } from './support/services.ts';
import { startTunnelProcesses } from './support/tunnel-processes.ts';
import { isAnswered } from './support/visitor.ts';

const SLOW = { timeout: 60_000 };

const { schema, examples } = eventsInDocument();

test('docs/events.md has every event and every field of the code, and no others', SLOW, () => {
  expect(schema).toEqual(eventsInCode());
});

test.each(Object.keys(schema))('the example of %s has the fields of its table', (name) => {
  const example = JSON.parse(examples.get(name) ?? '{}') as TunnelEvent;
  expect(name.endsWith(` ${example.event}`)).toBe(true);
  expect(faultsOf(example, schema[name] ?? {})).toEqual([]);
});

test('what a client and a server print has the fields of the document', SLOW, async () => {
  await using echo = await startEcho();
  await using pair = await startTunnelProcesses(echo.port);
  expect(await isAnswered(pair.port)).toBe(true);
  for (const process of [pair.client, pair.server]) {
    process.kill();
    await process.waitForExit();
  }
  for (const command of ['client', 'server'] as const) {
    const { events } = pair[command];
    expect(events.map(({ event }) => event)).toContain('stopped');
    for (const event of events) {
      expect(faultsOf(event, schema[`${command} ${event.event}`] ?? {}), `${command} ${event.event}`).toEqual([]);
    }
  }
});
