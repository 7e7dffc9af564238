// Shares the files of a directory over HTTP, at a public address and at no port of this machine.
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { connect } from '@tunnel/client';

const [to = '127.0.0.1', directory = '.'] = process.argv.slice(2);
const root = await realpath(directory);

async function send(url: string, response: ServerResponse): Promise<void> {
  const path = await realpath(join(root, decodeURIComponent(new URL(url, 'http://localhost').pathname)));
  const file = await stat(path);
  if (!path.startsWith(root + sep) || !file.isFile()) throw new Error('no file of this directory');
  response.writeHead(200, { 'content-length': file.size });
  await pipeline(createReadStream(path), response);
}

const server = createServer((request, response) => {
  send(request.url ?? '/', response).catch(() => {
    if (response.headersSent) response.destroy();
    else response.writeHead(404).end('not found\n');
  });
});

const tunnel = await connect({ to, secret: process.env['TUNNEL_SECRET'], target: server });
console.log(tunnel.url.replace('tcp:', 'http:'));
process.once('SIGTERM', () => void tunnel.close());
