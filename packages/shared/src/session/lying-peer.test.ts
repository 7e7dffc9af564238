import { expect, it } from 'vitest';
import { TunnelError } from '../errors/errors.ts';
import { KNOWN_FEATURES, MAX_PLAINTEXT_BYTES, STREAM_LIMIT } from '../wire/constants.ts';
import { decodeFrames } from '../wire/decode.ts';
import { encodeFrame } from '../wire/encode.ts';
import type { Frame } from '../wire/frame.ts';
import { LOG_LIMIT_BYTES, QUANTUM_BYTES } from './constants.ts';
import { MemoryBudget } from './memory/memory-budget.ts';
import { RecordBuilder } from '../link/record-builder.ts';
import { Session } from './session.ts';
import { Random } from './testing/simulation.ts';

/*
 * An authenticated peer that then sends anything: what its own session would send, changed a little or a lot.
 * SIMULATION_SEED runs one seed, SIMULATION_SEEDS that many.
 */
const ONE_SEED = process.env.SIMULATION_SEED;
const SEEDS = Number(process.env.SIMULATION_SEEDS ?? 500);
const STEPS = 300;

const HEARTBEAT = { intervalMs: 2000, timeoutMs: 8000 };
const builder = new RecordBuilder();

type Role = 'client' | 'server';

class Pair {
  now = 0;
  refused = 0;
  broken = 0;
  readonly #random: Random;
  readonly #role: Role;
  #victim!: Session;
  #victimBudget!: MemoryBudget;
  #liar!: Session;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#role = this.#random.pick(['client', 'server']);
    this.#startSessions();
  }

  step(): void {
    const random = this.#random;
    this.now += random.skewed(3000) - 1;
    switch (random.below(8)) {
      case 0:
        this.#act(this.#victim, this.#role);
        break;
      case 1:
      case 2:
        this.#act(this.#liar, this.#role === 'client' ? 'server' : 'client');
        break;
      case 3:
        this.#deliver(Buffer.concat(Array.from({ length: 1 + random.below(3) }, () => encodeFrame(this.#anyFrame()))));
        break;
      case 4:
        this.#answer();
        break;
      default:
        this.#speak();
    }
    const victim = this.#victim;
    check(victim.streamCount <= 2 * STREAM_LIMIT, 'too many streams');
    check(victim.logBytes <= LOG_LIMIT_BYTES + QUANTUM_BYTES, 'too much kept');
  }

  #startSessions(): void {
    this.#victimBudget = new MemoryBudget(1e6);
    this.#victim = new Session({ role: this.#role, budget: this.#victimBudget });
    this.#liar = new Session({ role: this.#role === 'client' ? 'server' : 'client', budget: new MemoryBudget(1e6) });
    this.#startLink();
  }

  /** What an owner does with a broken session. Whatever the peer did to it, it returns the memory it used. */
  #endSession(): void {
    this.broken += 1;
    this.#victim.dispose();
    check(this.#victimBudget.usedBytes === 0, `${this.#victimBudget.usedBytes} bytes were not given back`);
    this.#startSessions();
  }

  #startLink(): void {
    const [client, server] = this.#role === 'client' ? [this.#victim, this.#liar] : [this.#liar, this.#victim];
    if (!server.canResumeFrom(client.resumePoint) || !client.canResumeFrom(server.resumePoint)) {
      this.#startSessions();
      return;
    }
    const peer = { ...client.resumePoint, heartbeat: HEARTBEAT, ...client.firstCredit, features: KNOWN_FEATURES };
    client.beginLink(this.now, HEARTBEAT, 20, KNOWN_FEATURES);
    server.acceptLink(this.now, HEARTBEAT, 20, peer, {
      sessionId: new Uint8Array(16),
      token: new Uint8Array(32),
      resumeWindowMs: 1000,
      agent: '',
    });
  }

  /** The liar's session sends a record, which is tampered with on the way. */
  #speak(): void {
    const parts = this.#liar.nextRecord(this.now, builder, 4096 + this.#random.below(70_000));
    if (!parts) return;
    const record = Buffer.concat(parts);
    this.#deliver(this.#random.chance(0.7) ? record : this.#change(record));
  }

  #change(record: Buffer): Buffer {
    const random = this.#random;
    if (random.chance(0.3)) {
      const changed = Buffer.from(record);
      for (let count = random.below(4); count >= 0; count -= 1)
        changed[random.below(changed.length)] = random.below(256);
      return changed;
    }
    const frames = decodeFrames(record);
    const index = random.below(frames.length);
    switch (random.below(4)) {
      case 0:
        frames.splice(index, 1);
        break;
      case 1:
        frames.splice(index, 0, frames[index]!);
        break;
      case 2:
        frames.splice(index, 0, this.#anyFrame());
        break;
      default:
        frames.push(...frames.splice(index, 1));
    }
    return Buffer.concat(frames.map((frame) => encodeFrame(frame)));
  }

  #deliver(record: Buffer): void {
    try {
      this.#victim.receive(record, this.now, this.now);
    } catch (error) {
      if (!(error instanceof TunnelError) || error.code !== 'protocol-error') throw error;
      this.refused += 1;
      this.#victim.takeEvents();
      if (this.#victim.isBroken) this.#endSession();
      else this.#startLink();
      return;
    }
    for (const event of this.#victim.takeEvents()) {
      if (event.type === 'stream-data' && this.#random.chance(0.8)) {
        this.#victim.consumed(event.streamId, event.data.length, this.now);
      }
    }
  }

  /**
   * The victim is honest, but the liar's session may find that its answer does not match what the liar actually sent.
   */
  #answer(): void {
    const parts = this.#victim.nextRecord(this.now, builder, 4096 + this.#random.below(300_000));
    if (!parts) return;
    const record = Buffer.concat(parts);
    check(record.length <= MAX_PLAINTEXT_BYTES, 'too large a record');
    decodeFrames(record);
    try {
      this.#liar.receive(record, this.now, this.now);
      for (const event of this.#liar.takeEvents()) {
        if (event.type === 'stream-data') this.#liar.consumed(event.streamId, event.data.length, this.now);
      }
    } catch {
      this.#startSessions();
    }
  }

  #act(session: Session, role: Role): void {
    const random = this.#random;
    const streamId = random.chance(0.9) ? 1 + 2 * random.below(12) : random.below(10);
    switch (random.below(7)) {
      case 0:
        if (role === 'server') session.openStream(1, [], this.now);
        break;
      case 1:
      case 2:
        session.write(streamId, new Uint8Array(random.skewed(20_000) - 1));
        break;
      case 3:
        session.end(streamId, this.now);
        break;
      case 4:
        session.reset(streamId, 'stream-reset');
        break;
      case 5:
        session.consumed(streamId, session.heldBytes(streamId), this.now);
        break;
      default:
        if (session.tick(this.now, this.now) === 'dead') this.#startLink();
        else check(session.deadline > this.now, 'a deadline that is over');
    }
  }

  #anyFrame(): Frame {
    const random = this.#random;
    const streamId = random.chance(0.9) ? 1 + random.below(24) : random.below(2 ** 32);
    const number = random.chance(0.8) ? random.below(60) : random.below(2 ** 53);
    const u32 = random.below(2 ** 32);
    const code = random.pick(['', 'stopped', 'stream-reset', 'nonsense']);
    const tunnelId = random.below(5);
    return random.pick<() => Frame>([
      () => ({ type: 'acknowledgement', number }),
      () => ({ type: 'credit', streamId, offset: number }),
      () => ({
        type: 'heartbeat',
        answerNow: random.chance(0.5),
        timestamp: u32,
        echo: random.chance(0.5) ? { timestamp: u32, heldMs: random.skewed(2 ** 32) } : undefined,
        nextWithinMs: random.skewed(2 ** 32),
      }),
      () => ({ type: 'goodbye', code }),
      () => ({ type: 'drain', retryAfterMs: u32, spreadMs: u32, graceMs: u32 }),
      () => ({ type: 'visitors-refused', tunnelId, denied: number, overLimit: number }),
      () => ({ type: 'refused', code, retryAfterMs: u32, detail: '' }),
      () => ({
        type: 'accepted',
        sessionId: new Uint8Array(16),
        token: new Uint8Array(32),
        received: number,
        next: number,
        resumeWindowMs: u32,
        heartbeatIntervalMs: random.skewed(2 ** 32) - 1,
        heartbeatTimeoutMs: random.skewed(2 ** 32) - 1,
        agent: code,
      }),
      () => ({
        type: 'open',
        streamId,
        tunnelId,
        creditBytes: u32,
        takenBytes: random.skewed(400_000) - 1,
        attributes: [],
      }),
      () => ({ type: 'data', streamId, data: new Uint8Array(1 + random.skewed(70_000)) }),
      () => ({ type: 'end', streamId }),
      () => ({ type: 'reset', streamId, code }),
      () => ({ type: 'void', count: random.skewed(2 ** 32 - 1) }),
      () => ({ type: 'tunnel-request', tunnelId, kind: 1, name: '', label: '', terms: [] }),
      () => ({ type: 'tunnel-granted', tunnelId, name: '1', addresses: ['tcp://:1'] }),
      () => ({ type: 'tunnel-refused', tunnelId, code, detail: '' }),
      () => ({ type: 'tunnel-close', tunnelId, code }),
      () => ({ type: 'tunnel-addresses', tunnelId, addresses: ['tcp://:1'] }),
    ])();
  }
}

/** `expect` would take most of the time. */
function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

it('gets nothing out of a session but protocol errors', { timeout: 300_000 }, () => {
  const first = ONE_SEED === undefined ? 1 : Number(ONE_SEED);
  const last = ONE_SEED === undefined ? SEEDS : first;
  let refused = 0;
  let broken = 0;
  for (let seed = first; seed <= last; seed += 1) {
    const pair = new Pair(seed);
    try {
      for (let step = 0; step < STEPS; step += 1) pair.step();
    } catch (error) {
      throw new Error(`seed ${seed} at ${pair.now} ms: ${String(error)}`, { cause: error });
    }
    refused += pair.refused;
    broken += pair.broken;
  }
  expect(broken).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(broken);
});
