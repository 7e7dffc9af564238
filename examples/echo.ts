// A TCP service that is a function: sends back what each visitor says.
import { connect, type VisitorSocket } from '@tunnel/client';

const [to = '127.0.0.1'] = process.argv.slice(2);

async function echo(visitor: VisitorSocket): Promise<void> {
  console.log(`${visitor.remoteAddress} port ${visitor.remotePort} came`);
  for await (const chunk of visitor) visitor.write(`you said: ${chunk.toString()}`);
  visitor.end('good-bye\n');
}

const tunnel = await connect({ to, secret: process.env['TUNNEL_SECRET'], target: echo, idleTimeoutMs: 600_000 });
console.log(tunnel.url);
process.once('SIGTERM', () => void tunnel.close());
