// A client that shows its state: what goes on while the link breaks and comes back.
import { connect, TunnelError } from '@tunnel/client';

const [to = '127.0.0.1', target = '3000'] = process.argv.slice(2);

try {
  const tunnel = await connect({
    to,
    target,
    secret: process.env['TUNNEL_SECRET'],
    // Visitors from everywhere else are kept out by the server.
    allow: ['127.0.0.0/8', '10.0.0.0/8', '192.168.0.0/16'],
    onRetrying: ({ reason, attempt, delayMs }) => console.log(`attempt ${attempt}: ${reason}; again in ${delayMs} ms`),
  });
  console.log(`ready: ${tunnel.url}`);
  tunnel.on('disconnected', ({ reason }) => console.log(`disconnected: ${reason}`));
  tunnel.on('ready', ({ resumed, lostStreams }) => console.log(resumed ? 'carried on' : `anew, ${lostStreams} lost`));
  tunnel.on('service', ({ state, reason }) => console.log(`the service is ${state}${reason && `: ${reason}`}`));
  tunnel.on('stopped', ({ reason }) => console.log(`stopped: ${reason}`));
  process.once('SIGTERM', () => {
    const { bytesIn, bytesOut, reconnects } = tunnel.status();
    console.log(`${bytesIn} bytes in, ${bytesOut} bytes out, ${reconnects} reconnects`);
    void tunnel.close();
  });
} catch (error) {
  if (!(error instanceof TunnelError)) throw error;
  console.error(`error: ${error.message}\nhint: docs/errors.md#${error.code}`);
  process.exitCode = error.kind.exitCode;
}
