// Receives webhooks at a public address that stays the same over restarts, and prints them.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { connect } from '@tunnel/client';

const [to = '127.0.0.1', stateDirectory = '.tunnel-state'] = process.argv.slice(2);

const server = createServer((request, response) => {
  text(request).then(
    (body) => {
      console.log(`${request.method} ${request.url} from ${request.socket.remoteAddress}: ${body}`);
      response.writeHead(204).end();
    },
    () => response.destroy(),
  );
});

const tunnel = await connect({ to, secret: process.env['TUNNEL_SECRET'], target: server, stateDirectory });
console.log(tunnel.url.replace('tcp:', 'http:'));
process.once('SIGTERM', () => void tunnel.close());
