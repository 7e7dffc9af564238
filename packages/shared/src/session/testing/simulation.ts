import { KNOWN_FEATURES, MAX_PLAINTEXT_BYTES } from '../../wire/constants.ts';
import { CROWDED_LOG_BYTES, LOG_LIMIT_BYTES, QUANTUM_BYTES, SEND_QUEUE_BYTES } from '../constants.ts';
import type { SessionEvent } from '../events.ts';
import type { HeartbeatSettings } from '../../link/heartbeat.ts';
import { MemoryBudget } from '../memory/memory-budget.ts';
import { RecordBuilder } from '../../link/record-builder.ts';
import { Session, type ResumePoint } from '../session.ts';

/*
 * A client and a server in one process, on a virtual clock and with a seeded random generator, connected by links that
 * break in every way a link can break. Only tests import this file. Everything is checked as it happens; a violation
 * throws.
 */

export interface SimulationResult {
  readonly losses: number;
  readonly streams: number;
  readonly resets: number;
  /** Streams that were reset for lack of memory. */
  readonly givenUp: number;
  /** Stream ends that received everything sent before a reset. */
  readonly lastWords: number;
  readonly bytes: number;
  readonly virtualMs: number;
}

export interface SimulationOptions {
  /** After this many lost links no more faults are injected, and everything has to finish. */
  readonly losses: number;
  readonly streams: number;
}

/** A seeded pseudo-random generator (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** Up to `limit`, small far more often than large. */
  skewed(limit: number): number {
    return Math.floor(limit ** this.next());
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** Runs one scenario to its end. Throws with the seed in the message. */
export function simulate(seed: number, options: SimulationOptions): SimulationResult {
  const world = new World(seed, options);
  try {
    return world.run();
  } catch (error) {
    throw new Error(`seed ${seed} at ${world.now.toFixed(3)} ms after ${world.losses} losses: ${String(error)}`, {
      cause: error,
    });
  }
}

// ── the clock ──

interface Appointment {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Pending appointments, earliest first; ties in the order in which they were made. */
class Agenda {
  readonly #heap: Appointment[] = [];
  #order = 0;

  add(at: number, run: () => void): void {
    const heap = this.#heap;
    const item = { at, order: (this.#order += 1), run };
    let index = heap.length;
    heap.push(item);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(item, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = item;
  }

  next(): Appointment | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!last || !first || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(a: Appointment, b: Appointment): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

// ── what the streams carry ──

const PATTERN_PERIOD = 65_521;
const PATTERN = makePattern();

function makePattern(): Buffer {
  const random = new Random(1);
  const period = Uint8Array.from({ length: PATTERN_PERIOD }, () => random.below(256));
  const pattern = Buffer.alloc(PATTERN_PERIOD + MAX_PLAINTEXT_BYTES);
  for (let at = 0; at < pattern.length; at += PATTERN_PERIOD) pattern.set(period.subarray(0, pattern.length - at), at);
  return pattern;
}

/** The bytes at `offset` of one direction of a stream; they differ by direction, stream and offset. */
function content(streamId: number, role: Role, offset: number, length: number): Buffer {
  const start = (streamId * 7919 + (role === 'server' ? 0 : 31_337) + offset) % PATTERN_PERIOD;
  return PATTERN.subarray(start, start + length);
}

/** Overwrites data that a session no longer needs, so that resending it would be noticed. */
function spoil(data: Uint8Array): void {
  data.fill(0xff);
}

type Role = 'client' | 'server';

/** What one side of a stream does. */
interface SidePlan {
  /** `bulk` sends all it has, `ping` sends the next ball once the last came back, `echo` returns what it gets. */
  readonly kind: 'bulk' | 'ping' | 'echo';
  readonly totalBytes: number;
  readonly chunkBytes: number;
  /** Ends only once the peer has ended. */
  readonly endsLast: boolean;
  /** How long data waits after its arrival before it is consumed. */
  readonly consumeAfterMs: number;
  readonly resetAfterSent: number;
  readonly resetAfterReceived: number;
  readonly resetAfterMs: number;
  /** A reset follows what was written before it. */
  readonly resetsLast: boolean;
}

const BALL_BYTES = 20;
const NO_RESET = { resetAfterSent: Infinity, resetAfterReceived: Infinity, resetAfterMs: Infinity, resetsLast: false };

function planStream(random: Random): Record<Role, SidePlan> {
  const plain = {
    kind: 'bulk' as const,
    endsLast: false,
    ...NO_RESET,
  };
  const totalBytes = random.chance(0.03) ? random.below(400_000) : random.skewed(20_000) - 1;
  const otherBytes = random.chance(0.5) ? random.skewed(3000) - 1 : random.skewed(100_000) - 1;
  const slow = (): number => (random.chance(0.1) ? random.below(2000) : random.chance(0.3) ? random.below(50) : 0);
  // Not so small that the simulation is all chunks.
  const chunk = (bytes: number): number => Math.ceil(bytes / 50) + random.skewed(65_536);
  let server: SidePlan = { ...plain, totalBytes, chunkBytes: chunk(totalBytes), consumeAfterMs: slow() };
  let client: SidePlan = {
    ...plain,
    totalBytes: otherBytes,
    chunkBytes: chunk(Math.max(totalBytes, otherBytes)),
    consumeAfterMs: slow(),
  };
  if (random.chance(0.25)) {
    server = { ...server, kind: 'ping', totalBytes: BALL_BYTES * random.below(20) };
    client = { ...client, kind: 'echo' };
  } else if (random.chance(0.1)) {
    client = { ...client, kind: 'echo' };
  } else if (random.chance(0.5)) {
    const endsLast = { endsLast: true };
    if (random.chance(0.5)) server = { ...server, ...endsLast };
    else client = { ...client, ...endsLast };
  }
  const reset = (plan: SidePlan): SidePlan => {
    if (!random.chance(0.15)) return plan;
    const resetsLast = random.chance(0.5);
    switch (random.below(3)) {
      case 0:
        return { ...plan, resetsLast, resetAfterSent: random.below(plan.totalBytes + 1) };
      case 1:
        return { ...plan, resetsLast, resetAfterReceived: random.skewed(10_000) };
      default:
        return { ...plan, resetsLast, resetAfterMs: random.below(1000) };
    }
  };
  return { server: reset(server), client: reset(client) };
}

/** One side's end of a stream, standing in for its socket. */
class Side {
  readonly id: number;
  readonly role: Role;
  readonly plan: SidePlan;
  written = 0;
  received = 0;
  /** The session has taken all it can. */
  isHeld = false;
  hasEnded = false;
  peerHasEnded = false;
  /** By this side; the peer will hear of it. */
  hasReset = false;
  /** The batch of events in which that happened. */
  resetBatch = 0;
  wasReset = false;

  constructor(id: number, role: Role, plan: SidePlan) {
    this.id = id;
    this.role = role;
    this.plan = plan;
  }

  get isOver(): boolean {
    return this.hasReset || this.wasReset || (this.hasEnded && this.peerHasEnded);
  }

  /** The offset up to which it wants to write now. */
  get wanted(): number {
    switch (this.plan.kind) {
      case 'bulk':
        return this.plan.totalBytes;
      case 'ping':
        return Math.min(this.plan.totalBytes, this.received + BALL_BYTES);
      case 'echo':
        return this.received;
    }
  }

  get wantsEnd(): boolean {
    if (this.hasEnded) return false;
    if (this.plan.kind === 'echo') return this.peerHasEnded && this.written === this.received;
    return this.written === this.plan.totalBytes && (this.peerHasEnded || !this.plan.endsLast);
  }

  get wantsReset(): boolean {
    const { resetAfterSent, resetAfterReceived } = this.plan;
    return !this.isOver && (this.written >= resetAfterSent || this.received >= resetAfterReceived);
  }
}

// ── the link ──

/** One direction of a link. */
class Wire {
  readonly bytesPerMs: number;
  readonly latencyMs: number;
  busyUntil = 0;
  lastArrivalAt = 0;
  /** What the socket has not sent yet. */
  queuedBytes = 0;
  sentRecords = 0;
  /** Records from this one on are lost. */
  lostFrom = Infinity;
  /** Bytes that the receiving end has read from its socket. */
  bytesRead = 0;

  constructor(bytesPerMs: number, latencyMs: number) {
    this.bytesPerMs = bytesPerMs;
    this.latencyMs = latencyMs;
  }
}

/** When a link breaks, and who notices. */
interface Fault {
  /** Once this side has sent this many records (message 3 is the client's first), … */
  readonly after: { readonly role: Role; readonly records: number } | undefined;
  /** … or this long after it began. */
  readonly afterMs: number;
  readonly noticedBy: readonly Role[];
  /** Which directions are dead from then on. */
  readonly dead: readonly Role[];
}

class Link {
  readonly number: number;
  readonly wires: Record<Role, Wire>;
  readonly fault: Fault | undefined;
  readonly roundTripMs: number;
  isCut = false;
  /** Something happened that makes silence legitimate: a cut, a sleeping process, an end that let go. */
  isExcused = false;
  isCounted = false;

  constructor(number: number, wires: Record<Role, Wire>, fault: Fault | undefined) {
    this.number = number;
    this.wires = wires;
    this.fault = fault;
    this.roundTripMs = wires.client.latencyMs + wires.server.latencyMs;
  }
}

// ── the two ends ──

class Endpoint {
  readonly role: Role;
  readonly session: Session;
  readonly budget: MemoryBudget;
  readonly heartbeat: HeartbeatSettings;
  readonly sides = new Map<number, Side>();
  link: Link | undefined;
  timerAt = Infinity;
  sleepsUntil = 0;
  heardAt = 0;

  constructor(role: Role, heartbeat: HeartbeatSettings, budget: MemoryBudget) {
    this.role = role;
    this.budget = budget;
    this.heartbeat = heartbeat;
    this.session = new Session({ role, budget: this.budget, onForgotten: spoil });
  }
}

const TOKEN = new Uint8Array(32);
const SESSION_ID = new Uint8Array(16);
const HEARTBEATS: readonly HeartbeatSettings[] = [
  { intervalMs: 2000, timeoutMs: 8000 },
  { intervalMs: 500, timeoutMs: 2000 },
  { intervalMs: 1000, timeoutMs: 1000 },
];
/** With the smallest one, streams are reset for lack of memory. */
const BUDGETS_BYTES = [192 * 1024, 1024 * 1024, 64 * 1024 * 1024];
/** How long a sound link may take at the end to deliver everything. */
const PATIENCE_MS = 30 * 60 * 1000;
const PROGRESS_EVERY_MS = 100;

const builder = new RecordBuilder();

class World {
  now = 0;
  losses = 0;
  readonly #random: Random;
  readonly #options: SimulationOptions;
  readonly #agenda = new Agenda();
  readonly #ends: Record<Role, Endpoint>;
  readonly #plans = new Map<number, Record<Role, SidePlan>>();
  readonly #sleeps: boolean;
  #linkNumber = 0;
  #acceptedNumber = 0;
  #dialAt = Infinity;
  #unfinishedSides = 0;
  #bytes = 0;
  #resets = 0;
  /** Streams that were reset for lack of memory. */
  readonly #givenUp = new Set<number>();
  #lastWords = 0;
  /** Counts the batches of events from sessions. */
  #batch = 0;
  #soundSince = Infinity;

  constructor(seed: number, options: SimulationOptions) {
    this.#random = new Random(seed);
    this.#options = options;
    this.#ends = {
      client: new Endpoint('client', this.#random.pick(HEARTBEATS), this.#newBudget()),
      server: new Endpoint('server', this.#random.pick(HEARTBEATS), this.#newBudget()),
    };
    this.#sleeps = this.#random.chance(0.2);
  }

  #newBudget(): MemoryBudget {
    return new MemoryBudget(this.#random.pick(BUDGETS_BYTES));
  }

  run(): SimulationResult {
    this.#dialAfter(this.#random.below(300));
    this.#visitAfter(0);
    for (;;) {
      const next = this.#agenda.next();
      if (!next) throw new Error('nothing will ever happen again');
      this.now = Math.max(this.now, next.at);
      next.run();
      if (this.#isDone) break;
      if (this.now > this.#soundSince + PATIENCE_MS) throw new Error(`stuck: ${this.#describe()}`);
    }
    this.#checkEnd();
    return {
      losses: this.losses,
      streams: this.#plans.size,
      resets: this.#resets,
      givenUp: this.#givenUp.size,
      lastWords: this.#lastWords,
      bytes: this.#bytes,
      virtualMs: this.now,
    };
  }

  get #isDone(): boolean {
    if (this.#unfinishedSides > 0 || this.losses < this.#options.losses) return false;
    const { client, server } = this.#ends;
    if (this.#plans.size < this.#options.streams) return false;
    return [client, server].every(
      ({ session, budget }) => session.streamCount === 0 && session.logBytes === 0 && budget.usedBytes === 0,
    );
  }

  // ── visitors ──

  #visitAfter(delayMs: number): void {
    this.#at(this.now + delayMs, () => {
      // Spread over the whole life of the session, including its time without a link.
      const share = this.#options.streams * ((this.losses + 1) / this.#options.losses);
      if (this.#plans.size < Math.min(share, this.#options.streams)) this.#visit();
      if (this.#plans.size < this.#options.streams) this.#visitAfter(this.#random.skewed(300));
    });
  }

  #visit(): void {
    const { server } = this.#ends;
    const id = server.session.openStream(1, [], this.now);
    if (id === undefined) throw new Error('no stream to be had');
    const plans = planStream(this.#random);
    this.#plans.set(id, plans);
    this.#begin(server, id, plans.server);
    this.#pump(server);
  }

  #begin(end: Endpoint, id: number, plan: SidePlan): void {
    const side = new Side(id, end.role, plan);
    end.sides.set(id, side);
    this.#unfinishedSides += 1;
    if (plan.resetAfterMs < Infinity) {
      this.#at(this.now + plan.resetAfterMs, () => {
        if (!side.isOver) this.#reset(end, side);
        this.#pump(end);
      });
    }
    this.#feed(end, side);
  }

  /** Writes what the side wants to write and the session accepts. */
  #feed(end: Endpoint, side: Side): void {
    const { session } = end;
    while (!side.isOver && !side.isHeld && side.written < side.wanted) {
      const bytes = Math.min(side.wanted - side.written, side.plan.chunkBytes);
      const left = session.write(side.id, new Uint8Array(content(side.id, side.role, side.written, bytes)));
      side.written += bytes;
      side.isHeld = left <= 0;
      check(left >= -side.plan.chunkBytes && left <= SEND_QUEUE_BYTES, `${left} bytes left to write`);
    }
    if (side.wantsReset) {
      this.#reset(end, side);
    } else if (!side.isOver && side.wantsEnd) {
      side.hasEnded = true;
      session.end(side.id, this.now);
      if (side.isOver) this.#unfinishedSides -= 1;
    }
  }

  #reset(end: Endpoint, side: Side): void {
    side.hasReset = true;
    this.#resets += 1;
    this.#unfinishedSides -= 1;
    side.resetBatch = this.#batch;
    if (side.plan.resetsLast) {
      end.session.fail(side.id, 'stream-reset', this.now);
      return;
    }
    end.session.reset(side.id, 'stream-reset');
    // As a socket does: an error, and some time later its close.
    if (this.#random.chance(0.7)) return;
    this.#at(this.now + this.#random.skewed(2000) - 1, () => {
      end.session.reset(side.id, 'stream-reset');
      this.#pump(end);
    });
  }

  // ── session events ──

  #dispatch(end: Endpoint): void {
    for (let events = end.session.takeEvents(); events.length > 0; events = end.session.takeEvents()) {
      this.#batch += 1;
      for (const event of events) this.#handle(end, event);
    }
  }

  #handle(end: Endpoint, event: SessionEvent): void {
    if (event.type === 'stream-opened') {
      check(end.role === 'client' && !end.sides.has(event.streamId), 'opened twice');
      const plans = this.#plans.get(event.streamId);
      if (!plans) throw new Error(`stream ${event.streamId} was never opened`);
      this.#begin(end, event.streamId, plans.client);
      return;
    }
    if (!('streamId' in event)) {
      check(['accepted', 'answered', 'link-doubtful'].includes(event.type), `told ${event.type}`);
      return;
    }
    const side = end.sides.get(event.streamId);
    if (!side) throw new Error(`told ${event.type} of stream ${event.streamId}, which is not known`);
    if (event.type === 'stream-reset' && event.code === 'stream-idle') this.#givenUp.add(event.streamId);
    if (side.hasReset) {
      if (this.#givenUp.has(event.streamId)) return; // for lack of memory, just before
      // Only events from the same record as the one that made this side reset the stream.
      check(side.resetBatch === this.#batch, `told ${event.type} after one's own reset`);
      return;
    }
    check(!side.wasReset, `told ${event.type} after a reset`);
    switch (event.type) {
      case 'stream-data':
        this.#take(end, side, event.data);
        break;
      case 'stream-ended':
        check(!side.peerHasEnded, 'ended twice');
        side.peerHasEnded = true;
        if (side.isOver) this.#unfinishedSides -= 1;
        break;
      case 'stream-reset': {
        const wasOver = side.isOver;
        side.wasReset = true;
        if (!wasOver) this.#unfinishedSides -= 1;
        break;
      }
      case 'stream-writable':
        check(side.isHeld, 'told to go on while nothing was held');
        side.isHeld = false;
    }
    this.#feed(end, side);
  }

  #take(end: Endpoint, side: Side, data: Uint8Array): void {
    check(!side.peerHasEnded, 'data after the end');
    const peer = other(side.role);
    const expected = content(side.id, peer, side.received, data.length);
    check(expected.equals(data), `stream ${side.id}: wrong bytes at ${side.received}`);
    side.received += data.length;
    this.#bytes += data.length;
    check(side.received <= this.#ends[peer].sides.get(side.id)!.written, 'more than was written');
    const consume = (): void => {
      end.session.consumed(side.id, data.length, this.now);
      this.#pump(end);
    };
    if (side.plan.consumeAfterMs === 0) end.session.consumed(side.id, data.length, this.now);
    else this.#at(this.now + side.plan.consumeAfterMs, consume);
  }

  // ── links ──

  #dialAfter(delayMs: number): void {
    const at = this.now + delayMs;
    this.#dialAt = at;
    this.#at(at, () => {
      if (this.#dialAt === at) this.#dial();
    });
  }

  /** The client has received message 2 and sends message 3. */
  #dial(): void {
    this.#dialAt = Infinity;
    const { client } = this.#ends;
    if (this.#isAsleep(client, () => this.#dial())) return;
    const hello = client.session.helloPoint();
    // The old link may continue until message 3 is in flight.
    if (client.link && this.#random.chance(0.3)) {
      const number = this.#linkNumber;
      this.#at(this.now + this.#random.skewed(100), () => {
        if (this.#linkNumber !== number) return;
        if (this.#dialAt < Infinity) client.session.withdrawHello();
        else this.#startLink(hello);
      });
    } else {
      this.#startLink(hello);
    }
  }

  #startLink(resume: ResumePoint): void {
    const { client } = this.#ends;
    // A newer link replaces a live one: the peer learns of it from the new link or from the close.
    if (client.link) this.#let(client, this.#random.chance(0.5));
    this.#linkNumber += 1;
    const link = this.#newLink();
    link.isExcused = this.#ends.server.sleepsUntil > this.now;
    client.session.beginLink(this.now, client.heartbeat, link.roundTripMs, KNOWN_FEATURES);
    client.link = link;
    client.heardAt = this.now;
    this.#transmit(link, 'client', 100, () => this.#accept(link, resume));
    this.#pump(client);
    if (link.fault && link.fault.afterMs < Infinity) {
      this.#at(this.now + link.fault.afterMs, () => this.#cut(link));
    }
    if (this.losses < this.#options.losses && this.#random.chance(0.1)) this.#dialAfter(this.#random.below(1000));
  }

  #newLink(): Link {
    const random = this.#random;
    const isSound = this.losses >= this.#options.losses;
    if (isSound) this.#soundSince = Math.min(this.#soundSince, this.now);
    const wire = (): Wire => {
      const bytesPerMs = random.chance(0.15) ? 40 + random.below(200) : Infinity;
      return new Wire(bytesPerMs, 1 + random.skewed(isSound ? 50 : 150));
    };
    return new Link(this.#linkNumber, { client: wire(), server: wire() }, isSound ? undefined : this.#newFault());
  }

  #newFault(): Fault {
    const random = this.#random;
    const both: readonly Role[] = ['client', 'server'];
    const after = { role: random.pick(both), records: random.chance(0.6) ? random.below(5) : random.below(60) };
    const isByRecords = random.chance(0.7);
    const isSilent = random.chance(0.1);
    return {
      after: isByRecords ? after : undefined,
      // Even if there are never that many records.
      afterMs: isByRecords ? 5000 : random.skewed(5000),
      noticedBy: isSilent ? [] : random.pick([both, both, both, ['client'], ['server']]),
      dead: isSilent && random.chance(0.3) ? [random.pick(both)] : both,
    };
  }

  #accept(link: Link, peer: ResumePoint): void {
    const { client, server } = this.#ends;
    if (link.number <= this.#acceptedNumber) {
      // A late straggler.
      this.#at(this.now + link.wires.server.latencyMs, () => this.#lose(client, link));
      return;
    }
    check(server.session.canResumeFrom(peer), `cannot resume from ${JSON.stringify(peer)}`);
    this.#acceptedNumber = link.number;
    if (server.link) this.#let(server, this.#random.chance(0.5));
    server.session.acceptLink(
      this.now,
      server.heartbeat,
      link.roundTripMs,
      { ...peer, heartbeat: client.heartbeat, ...client.session.firstCredit, features: KNOWN_FEATURES },
      { sessionId: SESSION_ID, token: TOKEN, resumeWindowMs: 120_000, agent: '' },
    );
    server.link = link;
    server.heardAt = this.now;
    this.#pump(server);
  }

  /** Sends as much as the session has and the socket takes. */
  #pump(end: Endpoint): void {
    this.#dispatch(end);
    while (end.link) {
      const { link } = end;
      const wire = link.wires[end.role];
      // As the drivers do: what drains in 250 ms, from 4 to 256 KiB.
      const limitBytes = Math.min(MAX_PLAINTEXT_BYTES, Math.max(4096, wire.bytesPerMs * 250));
      if (wire.queuedBytes >= limitBytes) break;
      const parts = end.session.nextRecord(this.now, builder, limitBytes);
      if (!parts) break;
      const record = Buffer.concat(parts);
      check(record.length > 0 && record.length <= MAX_PLAINTEXT_BYTES, `a record of ${record.length} bytes`);
      this.#transmit(link, end.role, record.length, () => this.#receive(this.#ends[other(end.role)], link, record));
      this.#dispatch(end);
    }
    const { waitingBytes, limitBytes } = end.budget;
    check(waitingBytes <= limitBytes + CROWDED_LOG_BYTES + MAX_PLAINTEXT_BYTES, `${waitingBytes} bytes wait`);
    check(end.session.logBytes <= LOG_LIMIT_BYTES + QUANTUM_BYTES, `a log of ${end.session.logBytes} bytes`);
    this.#armTimer(end);
  }

  #transmit(link: Link, role: Role, bytes: number, deliver: () => void): void {
    const wire = link.wires[role];
    const peer = this.#ends[other(role)];
    const index = wire.sentRecords;
    wire.sentRecords += 1;
    const startAt = Math.max(this.now, wire.busyUntil);
    wire.busyUntil = startAt + bytes / wire.bytesPerMs;
    wire.lastArrivalAt = Math.max(wire.lastArrivalAt, wire.busyUntil + wire.latencyMs * (1 + this.#random.next() / 10));
    if (wire.busyUntil > this.now) {
      wire.queuedBytes += bytes;
      this.#at(wire.busyUntil, () => {
        wire.queuedBytes -= bytes;
        const end = this.#ends[role];
        if (end.link === link && !this.#isAsleep(end, () => this.#pump(end))) this.#pump(end);
      });
      for (let at = startAt + PROGRESS_EVERY_MS; at < wire.busyUntil; at += PROGRESS_EVERY_MS) {
        const part = PROGRESS_EVERY_MS * wire.bytesPerMs;
        this.#at(at + wire.latencyMs, () => {
          if (index < wire.lostFrom) wire.bytesRead += part;
        });
      }
    }
    const arrive = (): void => {
      if (index >= wire.lostFrom || this.#isAsleep(peer, arrive)) return;
      wire.bytesRead += bytes;
      deliver();
    };
    this.#at(wire.lastArrivalAt, arrive);
    const after = link.fault?.after;
    if (after?.role === role && wire.sentRecords > after.records) this.#cut(link);
  }

  #receive(end: Endpoint, link: Link, record: Buffer): void {
    if (end.link !== link) return;
    end.heardAt = this.now;
    end.session.receive(record, this.now, link.wires[other(end.role)].bytesRead);
    this.#pump(end);
    if (this.#sleeps && this.#random.chance(0.002) && this.losses < this.#options.losses) {
      end.sleepsUntil = this.now + this.#random.skewed(30_000);
      link.isExcused = true;
    }
  }

  // ── how links end ──

  #cut(link: Link): void {
    if (link.isCut) return;
    const { fault } = link;
    link.isCut = true;
    link.isExcused = true;
    for (const role of fault?.dead ?? []) {
      const wire = link.wires[role];
      // Some, none or all of what is in flight still arrives.
      wire.lostFrom = wire.sentRecords - (this.#random.chance(0.5) ? this.#random.below(wire.sentRecords + 1) : 0);
    }
    for (const role of fault?.noticedBy ?? []) {
      this.#at(this.now + this.#random.skewed(200) - 1, () => this.#lose(this.#ends[role], link));
    }
  }

  /** This end notices that the link is gone. */
  #lose(end: Endpoint, link: Link): void {
    if (end.link !== link) return;
    if (this.#isAsleep(end, () => this.#lose(end, link))) return;
    this.#let(end, this.#random.chance(0.7));
    if (end.role === 'client')
      this.#dialAfter(this.#random.chance(0.1) ? this.#random.below(5000) : this.#random.below(50));
  }

  /** Lets go of the link; the other end may hear of it. */
  #let(end: Endpoint, isHeard: boolean): void {
    const { link } = end;
    if (!link) return;
    end.link = undefined;
    end.session.endLink();
    link.isExcused = true;
    if (!link.isCounted) this.losses += 1;
    link.isCounted = true;
    const peer = this.#ends[other(end.role)];
    if (isHeard) this.#at(this.now + link.wires[end.role].latencyMs, () => this.#lose(peer, link));
  }

  // ── time ──

  #armTimer(end: Endpoint): void {
    const { deadline } = end.session;
    check(end.link !== undefined || deadline === Infinity, 'a deadline without a link');
    if (deadline >= end.timerAt) return;
    end.timerAt = deadline;
    this.#at(deadline, () => this.#onTimer(end, deadline));
  }

  #onTimer(end: Endpoint, at: number): void {
    if (end.timerAt !== at || this.#isAsleep(end, () => this.#onTimer(end, at))) return;
    end.timerAt = Infinity;
    const { link } = end;
    if (!link) return;
    if (end.session.deadline <= this.now) {
      if (end.session.tick(this.now, link.wires[other(end.role)].bytesRead) === 'dead') {
        const timeoutMs = end.session.heartbeatTimeoutMs!;
        check(this.now - end.heardAt > timeoutMs - 0.001, `dead after ${this.now - end.heardAt} ms of ${timeoutMs}`);
        check(link.isExcused, `a sound link was declared dead by the ${end.role}`);
        this.#lose(end, link);
        return;
      }
      check(end.session.deadline > this.now, 'a deadline that is over right after a tick');
    }
    this.#pump(end);
  }

  /** A suspended process handles what arrived meanwhile once it resumes. */
  #isAsleep(end: Endpoint, resume: () => void): boolean {
    if (end.sleepsUntil <= this.now) return false;
    if (end.link) end.link.isExcused = true;
    this.#at(end.sleepsUntil, resume);
    return true;
  }

  #at(at: number, run: () => void): void {
    this.#agenda.add(Math.max(at, this.now), run);
  }

  // ── the end ──

  #checkEnd(): void {
    const { client, server } = this.#ends;
    for (const [id, there] of server.sides) {
      const here = client.sides.get(id);
      if (!here) {
        const wasReset = there.hasReset || this.#givenUp.has(id);
        check(wasReset && there.received === 0, `the client never heard of stream ${id}`);
        continue;
      }
      for (const [side, peer] of [
        [here, there],
        [there, here],
      ] as const) {
        const isClean = side.hasEnded && side.peerHasEnded && !side.wasReset;
        check(isClean || side.hasReset || peer.hasReset || this.#givenUp.has(id), `stream ${id} was reset by nobody`);
        // If one side already has everything when the other resets, it never hears of the reset.
        if (isClean && !side.hasReset) check(side.received === peer.written, `stream ${id} is short`);
        if (peer.hasReset && peer.plan.resetsLast && !side.hasReset) {
          check(side.received === peer.written, `stream ${id} is short of what came before its reset`);
          check(side.peerHasEnded === peer.hasEnded, `stream ${id} is short of an end before its reset`);
          this.#lastWords += 1;
        }
      }
    }
    for (const { role, budget, session } of [client, server]) {
      session.dispose();
      check(budget.usedBytes === 0, `${role}: windows were given back twice`);
    }
  }

  #describe(): string {
    const lines = [`${this.#unfinishedSides} sides unfinished`];
    for (const { role, session, sides, link } of Object.values(this.#ends)) {
      lines.push(`${role}: ${session.streamCount} streams, log ${session.logBytes}, link ${link?.number}`);
      for (const side of sides.values()) if (!side.isOver) lines.push(JSON.stringify(side));
    }
    return lines.join('\n');
  }
}

function other(role: Role): Role {
  return role === 'client' ? 'server' : 'client';
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
