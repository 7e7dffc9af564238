// HTTP/2 byte by byte, for what no library would send (RFC 9113, RFC 7541).
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

export const FRAME = { data: 0, headers: 1, rstStream: 3, settings: 4, ping: 6, goaway: 7, continuation: 9 } as const;

export const FLAG = { endStream: 1, endHeaders: 4 } as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** Literal fields that are never indexed, each byte of a text as one. */
export function fields(pairs: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(pairs.flatMap((pair) => [Buffer.of(0x10), ...pair.map(text)]));
}

/** The head of a GET, with further fields. */
export function getFields(authority: string, more: readonly (readonly [string, string])[] = []): Buffer {
  return fields([[':method', 'GET'], [':scheme', 'https'], [':authority', authority], [':path', '/'], ...more]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([lengthOf(bytes.length), bytes]);
}

/** RFC 7541, section 5.1, with a prefix of seven bits. */
function lengthOf(length: number): Buffer {
  if (length < 127) return Buffer.of(length);
  const bytes = [127];
  let rest = length - 127;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

/** A connection that speaks HTTP/2 as it is told. */
export class RawHttp2 implements AsyncDisposable {
  readonly socket: TLSSocket;
  readonly frames: Frame[] = [];
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
  }

  /** `says`: the preface and empty settings. */
  static async connect(port: number, servername: string, says: Buffer = PREFACE): Promise<RawHttp2> {
    const options = { port, host: '127.0.0.1', servername, ALPNProtocols: ['h2'], rejectUnauthorized: false };
    const socket = connect(options);
    await once(socket, 'secureConnect');
    const raw = new RawHttp2(socket);
    raw.socket.write(Buffer.concat([says, frame(FRAME.settings, 0, 0)]));
    return raw;
  }

  /** The code of the GOAWAY that came. */
  get goaway(): number | undefined {
    return this.frames.findLast(({ type }) => type === FRAME.goaway)?.payload.readUInt32BE(4);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.destroyed) return;
    const closed = once(this.socket, 'close');
    this.socket.destroy();
    await closed;
  }

  #onData(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) return;
      const [type = 0, flags = 0] = this.#rest.subarray(3, 5);
      const streamId = this.#rest.readUInt32BE(5);
      this.frames.push({ type, flags, streamId, payload: this.#rest.subarray(9, 9 + length) });
      this.#rest = this.#rest.subarray(9 + length);
    }
  }
}
