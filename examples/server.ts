// A tunnel server inside a program. It admits only the clients of a list, each to the ports that the list allows it.
import { authorizedKeysFile, listen } from '@tunnel/server';

const [port = '7835', keys = 'authorized_keys'] = process.argv.slice(2);

const server = await listen({
  port: Number(port),
  // A line is the client's key, with what it may ask for before it: ports="8000-8010",tunnels=1 KEY laptop
  authorizedKeys: authorizedKeysFile(keys),
  stateDirectory: '.tunnel-server',
});
console.log(`listening on port ${server.port}, key ${server.serverKey}`);

server.on('client-connected', ({ address, comment = 'unnamed' }) => console.log(`${comment} came from ${address}`));
server.on('tunnel-opened', ({ port: publicPort }) => console.log(`port ${publicPort} is open`));
server.on('client-refused', ({ address, reason }) => console.log(`${address} was refused: ${reason}`));
server.on('client-disconnected', ({ ended, reason }) =>
  console.log(ended ? `it left: ${reason}` : `it is away: ${reason}`),
);

process.once('SIGTERM', () => void server.stop());
