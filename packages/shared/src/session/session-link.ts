import type { Heartbeat } from '../link/heartbeat.ts';
import { malformed } from '../wire/byte-reader.ts';
import type { NumberedFrame } from '../wire/frame.ts';
import { Flight } from './flight.ts';

/** What a session knows about its current link, and forgets along with it. */
export class SessionLink {
  readonly heartbeat: Heartbeat;
  readonly flight: Flight;
  /** The feature bits that both sides know. */
  readonly features: number;
  /** Highest number sent on an earlier link: its acknowledgement says nothing about this link. */
  readonly #sentBefore: number;
  /** Number of the next numbered frame that the peer sends on this link. On a client, unknown until `accepted`. */
  #incomingNext: number | undefined;
  #isAnswered = false;

  constructor(options: {
    readonly now: number;
    readonly heartbeat: Heartbeat;
    readonly features: number;
    readonly sentBefore: number;
    readonly incomingNext: number | undefined;
  }) {
    this.heartbeat = options.heartbeat;
    this.flight = new Flight(options.now, options.heartbeat.leastRoundTripMs);
    this.features = options.features;
    this.#sentBefore = options.sentBefore;
    this.#incomingNext = options.incomingNext;
  }

  /** Until `accepted`, a client does not know what the server has. */
  get isConfirmed(): boolean {
    return this.#incomingNext !== undefined;
  }

  /** `accepted` came: the server's next numbered frame has this number. */
  confirm(incomingNext: number): void {
    this.#incomingNext = incomingNext;
  }

  hasFeature(bit: number): boolean {
    return (this.features & bit) !== 0;
  }

  /** The number of the frame that just arrived; the last one if it stands for several. */
  count(frame: NumberedFrame): number {
    if (this.#incomingNext === undefined) throw malformed('a numbered frame before accepted');
    const last = frame.type === 'void' ? this.#incomingNext + frame.count - 1 : this.#incomingNext;
    if (last >= Number.MAX_SAFE_INTEGER) throw malformed('more frames than can be counted');
    this.#incomingNext = last + 1;
    return last;
  }

  /**
   * The peer acknowledged up to `number`. True if this is the first answer to anything sent on this link, which shows
   * that it works both ways.
   */
  acknowledged(number: number): boolean {
    return number > this.#sentBefore && this.#answer();
  }

  /** The heartbeat received a frame. True as above. */
  heard(): boolean {
    return this.heartbeat.isAnswered && this.#answer();
  }

  #answer(): boolean {
    const isFirst = !this.#isAnswered;
    this.#isAnswered = true;
    return isFirst;
  }
}
