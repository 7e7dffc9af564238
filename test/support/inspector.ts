import { once } from 'node:events';
import { type IncomingMessage, request, type RequestOptions } from 'node:http';
import type { ExchangeDetail, ExchangeList, ExchangeSummary } from '@tunnel/pages';
import type { TunnelProcess } from './command.ts';

export interface InspectorAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** The inspector of a `tunnel http`, as its page speaks with it. */
export class Inspector {
  readonly port: number;
  readonly token: string;
  /** As it was printed. */
  readonly link: string;

  constructor(link: string) {
    const { port, hash } = new URL(link);
    this.port = Number(port);
    this.token = hash.slice(1);
    this.link = link;
  }

  /** That of a command that was started with `--inspect`. */
  static async of(client: TunnelProcess): Promise<Inspector> {
    const [, link = ''] = await client.waitForStderr(/"link":"([^"]+)"/);
    return new Inspector(link);
  }

  /** With the token, unless `headers` has another `authorization`. */
  async ask(path: string, options: RequestOptions = {}, body = ''): Promise<InspectorAnswer> {
    const headers = { authorization: `Bearer ${this.token}`, ...(options.headers as Record<string, string>) };
    const sent = request({ host: '127.0.0.1', port: this.port, path, agent: false, ...options, headers }).end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) };
  }

  async list(query = ''): Promise<readonly ExchangeSummary[]> {
    const { body } = await this.ask(`/api/exchanges${query}`);
    return (JSON.parse(body.toString()) as ExchangeList).exchanges;
  }

  async detail(id: number, query = ''): Promise<ExchangeDetail> {
    const { body } = await this.ask(`/api/exchanges/${id}${query}`);
    return JSON.parse(body.toString()) as ExchangeDetail;
  }

  replay(id: number, edited: object = {}): Promise<InspectorAnswer> {
    const headers = { 'content-type': 'application/json' };
    return this.ask(`/api/exchanges/${id}/replay`, { method: 'POST', headers }, JSON.stringify(edited));
  }
}
