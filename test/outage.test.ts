// What people have open for hours goes on after the link was gone for a while: an ssh session, a line protocol.
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { Program, requirePrograms } from './support/program.ts';
import { type Relay, startRelay } from './support/relay.ts';
import { TcpService } from './support/tcp-service.ts';
import { startSshServer } from './support/ssh-server.ts';
import { visit } from './support/visitor.ts';

/** `TUNNEL_TEST_OUTAGE_MS=60000` for the real thing. */
const OUTAGE_MS = Number(process.env['TUNNEL_TEST_OUTAGE_MS'] ?? 4_000);
const TIMEOUT_MS = OUTAGE_MS + 60_000;

const LINES = /^(\d+)\r?$/gm;

/** Numbers that a command printed, one a line. */
function numbersIn(output: string): number[] {
  return [...output.matchAll(LINES)].map(([, number]) => Number(number));
}

async function cutOff(relay: Relay): Promise<void> {
  relay.refuse();
  relay.resetAll();
  await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS)); // the outage itself, not a wait to be sure
  relay.refuse(false);
}

test('an ssh session with a running command', { timeout: TIMEOUT_MS }, async (context) => {
  requirePrograms(context, 'sshd', 'ssh', 'ssh-keygen');
  await using service = await startSshServer();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  await using client = await startClient(relay.port, [service.port], { maxReconnectDelayMs: 1_000 });
  const count = Math.ceil(OUTAGE_MS / 100) + 40;
  const command = `n=0; while [ $n -lt ${count} ]; do n=$((n+1)); echo $n; sleep 0.1; done; exit 7`;
  const args = [...service.clientOptions, '-p', String(client.ports[0]), service.destination, command];
  await using session = new Program('ssh', args);
  await session.waitForOutput(/^5\r?$/m);
  await cutOff(relay);
  const { stdout, code } = await session.result;
  expect(numbersIn(stdout.toString())).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  expect(code).toBe(7);
});

test('a line protocol, with a question asked while there was no link', { timeout: TIMEOUT_MS }, async () => {
  await using service = await TcpService.listen({}, (socket) => {
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => socket.write(`answer to ${line}\n`));
    // It passes on what its socket meets, and the end of the test resets that.
    lines.on('error', () => {});
  });
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  await using client = await startClient(relay.port, [service.port], { maxReconnectDelayMs: 1_000 });
  await using visitor = await visit(client.ports[0]!);
  visitor.socket.write('one\n');
  await visitor.waitForBytes('answer to one\n'.length);
  const back = cutOff(relay);
  visitor.socket.write('two\n');
  await back;
  await visitor.waitForBytes('answer to one\nanswer to two\n'.length, 30_000);
  expect(visitor.ending).toBeUndefined();
});
