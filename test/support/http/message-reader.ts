import { BodyReader } from './body-reader.ts';
import { type Ending, type Head, isInterim, type Message, type MessageKind, readHead } from './message.ts';

/** Takes the bytes of one direction of a connection as they come, and tells the messages in them. */
export class MessageReader {
  readonly #kindOf: (index: number) => MessageKind;
  readonly #complete: Message[] = [];
  #memory = Buffer.alloc(4_096);
  #receivedBytes = 0;
  #next = 0;
  #finalCount = 0;
  /** The message whose head is there, and not all of its body. */
  #current: { readonly head: Head; readonly body: BodyReader } | undefined;
  #ending: Ending;

  /** `kindOf`: what the message with this index is, those of answers that are not final not counted. */
  constructor(kindOf: (index: number) => MessageKind) {
    this.#kindOf = kindOf;
  }

  get complete(): readonly Message[] {
    return this.#complete;
  }

  /** Complete ones without `100`, `103` and their like. */
  get finalCount(): number {
    return this.#finalCount;
  }

  /** The one whose head is there, and not all of its body. */
  get partial(): Message | undefined {
    if (this.#current === undefined) return undefined;
    const { head, body } = this.#current;
    const { bytes } = this;
    return {
      ...head,
      trailers: [],
      isComplete: false,
      // Put together when somebody wants it: whether it is complete is asked far more often.
      get body() {
        return body.bodyIn(bytes);
      },
    };
  }

  /** All bytes that came. */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#receivedBytes);
  }

  /** Bytes behind the last complete message. */
  get rest(): Buffer {
    return this.bytes.subarray(this.#next);
  }

  push(chunk: Buffer): void {
    const receivedBytes = this.#receivedBytes + chunk.length;
    if (receivedBytes > this.#memory.length) this.#memory = Buffer.concat([this.#memory], 2 * receivedBytes);
    chunk.copy(this.#memory, this.#receivedBytes);
    this.#receivedBytes = receivedBytes;
    this.#read();
  }

  /** No more bytes come. */
  end(ending: 'end' | 'reset'): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.#read();
  }

  #read(): void {
    const { bytes } = this;
    while (this.#next < bytes.length) {
      const kind = this.#kindOf(this.#finalCount);
      if (this.#current === undefined) {
        const part = readHead(bytes, this.#next, kind);
        if (part === undefined) return;
        this.#current = { head: part.head, body: new BodyReader(part.head, part.bodyStart) };
      }
      const { head, body } = this.#current;
      body.read(bytes, this.#ending);
      if (!body.isComplete) return;
      const message = { ...head, body: body.bodyIn(bytes), trailers: body.trailers, isComplete: true };
      this.#current = undefined;
      this.#complete.push(message);
      this.#next = body.next;
      if (kind === 'request' || !isInterim(message)) this.#finalCount += 1;
    }
  }
}
