import { createServer, request as forward } from 'node:http';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startClient, startServer } from '../support/pair.ts';
import { runProgram } from '../support/program.ts';
import { startProxyProgram } from '../support/proxy-programs.ts';
import { TcpService } from '../support/tcp-service.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { HOST } from './corpus-case.ts';

/** Something between visitors and the service. */
export interface Front extends AsyncDisposable {
  readonly port: number;
}

/**
 * nginx as a plain reverse proxy. It passes on the target and the Host that it got, takes heads as long as the tunnel's, and does not
 * wait for bodies: what is left to compare is how it reads a request.
 */
export async function startNginx(servicePort: number): Promise<Front> {
  const directory = await temporaryDirectory();
  const file = (name: string): string => join(directory.path, name);
  const nginx = await startProxyProgram('nginx', async (port) => {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const config = `
      daemon off;
      master_process off;
      pid ${file('pid')};
      error_log stderr crit;
      events {}
      http {
        access_log off;
        ${temporary.map((kind) => `${kind}_temp_path ${file(kind)};`).join('\n')}
        large_client_header_buffers 4 64k;
        client_max_body_size 0;
        server {
          listen 127.0.0.1:${port};
          location / {
            proxy_pass http://127.0.0.1:${servicePort};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_request_buffering off;
          }
        }
      }`;
    await writeFile(file('nginx.conf'), config);
    return ['-c', file('nginx.conf'), '-e', 'stderr'];
  });
  return {
    port: nginx.port,
    [Symbol.asyncDispose]: async () => {
      await nginx[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** `1.22.1`. */
export async function nginxVersion(): Promise<string> {
  const { stderr } = await runProgram('nginx', ['-v']);
  return /nginx\/([\d.]+)/.exec(stderr.toString())?.[1] ?? '';
}

/** What everybody writes first, and nobody should put before visitors: it shows that the judgement finds something. */
export function startCarelessFront(servicePort: number): Promise<Front> {
  const server = createServer((request, response) => {
    const { method, url, headers } = request;
    const onward = forward(
      { port: servicePort, host: '127.0.0.1', method, path: url, headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    request.on('error', () => onward.destroy());
    request.pipe(onward);
  });
  return TcpService.start(server, {});
}

/** A server and its client, with an HTTP tunnel for the host of the corpus. */
export async function startTunnel(servicePort: number): Promise<Front> {
  const server = await startServer();
  const target = { host: '127.0.0.1', port: servicePort };
  const [label = ''] = HOST.split('.');
  const client = await startClient(server.port, [], { tunnels: [{ target, http: { host: label } }] });
  return {
    port: server.port,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
