import * as grpc from '@grpc/grpc-js';

const TEXT = { serialize: (text: string) => Buffer.from(text), deserialize: (bytes: Buffer) => bytes.toString() };

function method(name: string, requestStream: boolean, responseStream: boolean): grpc.MethodDefinition<string, string> {
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: TEXT.serialize,
    requestDeserialize: TEXT.deserialize,
    responseSerialize: TEXT.serialize,
    responseDeserialize: TEXT.deserialize,
  };
}

/** The four kinds of calls, each with texts. */
const ECHO = {
  unary: method('unary', false, false),
  collect: method('collect', true, false),
  count: method('count', false, true),
  chat: method('chat', true, true),
} satisfies grpc.ServiceDefinition;

export interface EchoClient extends grpc.Client {
  unary(
    text: string,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    done: (error: grpc.ServiceError | null, text?: string) => void,
  ): grpc.ClientUnaryCall;
  collect(done: (error: grpc.ServiceError | null, text?: string) => void): grpc.ClientWritableStream<string>;
  count(text: string): grpc.ClientReadableStream<string>;
  chat(): grpc.ClientDuplexStream<string, string>;
}

const EchoClientConstructor = grpc.makeGenericClientConstructor(ECHO, 'test.Echo');

/** A client that finds every host on this machine, and believes each of them a certificate of this authority. */
export function echoClient(port: number, host: string, authority: string): EchoClient {
  const credentials = grpc.credentials.createSsl(Buffer.from(authority), null, null, {
    checkServerIdentity: () => undefined,
  });
  return new EchoClientConstructor(`127.0.0.1:${port}`, credentials, {
    'grpc.ssl_target_name_override': host,
    'grpc.default_authority': host,
  }) as unknown as EchoClient;
}

export interface EchoService extends AsyncDisposable {
  readonly port: number;
  /** Calls that were not answered, and that the client gave up. */
  readonly cancelled: readonly string[];
  /** Calls of `never` that came so far. */
  readonly waiting: number;
}

/** A gRPC service: `unary` fails for `fail`, never answers for `never`, and tells in trailers what metadata it got. */
export async function startEchoService(): Promise<EchoService> {
  const cancelled: string[] = [];
  let waiting = 0;
  const server = new grpc.Server();
  server.addService(ECHO, {
    unary: (call: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) => {
      const trailer = new grpc.Metadata();
      trailer.set('seen', String(call.metadata.get('key')[0]));
      if (call.request === 'never') {
        waiting += 1;
        // Of answered calls it is told, too.
        call.on('cancelled', () => cancelled.push(call.request));
        return;
      }
      if (call.request === 'fail') {
        done({ code: grpc.status.FAILED_PRECONDITION, details: 'not so', metadata: trailer });
        return;
      }
      const first = new grpc.Metadata();
      first.set('first', 'yes');
      call.sendMetadata(first);
      done(null, `<${call.request}>`, trailer);
    },
    collect: (call: grpc.ServerReadableStream<string, string>, done: grpc.sendUnaryData<string>) => {
      let all = '';
      call.on('data', (text: string) => (all += text)).on('end', () => done(null, all));
    },
    count: (call: grpc.ServerWritableStream<string, string>) => {
      for (let number = 0; number < Number(call.request); number += 1) call.write(String(number));
      call.end();
    },
    chat: (call: grpc.ServerDuplexStream<string, string>) => {
      call.on('data', (text: string) => call.write(`<${text}>`)).on('end', () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  return {
    port,
    cancelled,
    get waiting() {
      return waiting;
    },
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}
