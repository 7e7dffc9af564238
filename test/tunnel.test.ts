import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { expectNothingLeftOpen } from './support/open-handles.ts';
import { startClient, startServer } from './support/pair.ts';
import { startEcho, startFileServer } from './support/services.ts';

const MiB = 1024 * 1024;

test('a download through the tunnel arrives whole', async () => {
  await expectNothingLeftOpen(async () => {
    await using service = await startFileServer();
    await using server = await startServer();
    await using client = await startClient(server.port, [service.port]);
    const response = await fetch(`http://127.0.0.1:${client.ports[0]}/${64 * MiB}`, {
      headers: { connection: 'close' },
    });
    const direct = await fetch(`http://127.0.0.1:${service.port}/${64 * MiB}`, { headers: { connection: 'close' } });
    const digest = async (body: Response): Promise<string> =>
      createHash('sha256')
        .update(new Uint8Array(await body.arrayBuffer()))
        .digest('hex');
    expect(await digest(response)).toBe(await digest(direct));
  });
});

test('small messages go back and forth', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  await using client = await startClient(server.port, [service.port]);
  const visitor = connect(client.ports[0]!, '127.0.0.1');
  for (const message of ['one', 'two', 'three']) {
    visitor.write(message);
    const answer = await new Promise<Buffer>((resolve) => visitor.once('data', resolve));
    expect(answer.toString()).toBe(message);
  }
  visitor.destroy();
});
