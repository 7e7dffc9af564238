// Whoever comes to a public port: bulk streams, round trips, short connections.
import type { Socket } from 'node:net';
import { percentile } from '../../statistics.ts';
import { writeBulk } from '../bulk-writer.ts';
import { serveCalls } from '../calls.ts';
import { type Direction, encodeCommand } from '../commands.ts';
import { gone, Visit, visit } from '../visit.ts';

/** What one keystroke or small request is taken to be. */
const PING = Buffer.alloc(64, 'tunnel ');

/** Connections that `hold` has on the way at a time. */
const HOLD_AT_ONCE = 64;

const streams = new Set<Socket>();
const held = new Set<Visit>();
let receivedBytes = 0;

/** Connects, asks for one byte and gets it. Returns how long that took, in ms; the connection is closed by then. */
async function firstByte(port: number): Promise<number> {
  const began = performance.now();
  const visit = new Visit(port);
  await visit.ask(encodeCommand('one'), 1);
  const tookMs = performance.now() - began;
  await visit.close();
  return tookMs;
}

async function connectUntil(port: number, deadlineMs: number): Promise<number> {
  let count = 0;
  for (; performance.now() < deadlineMs; count += 1) await firstByte(port);
  return count;
}

const calls = {
  /** Opens bulk streams that go on until `stopStreams`. */
  startStreams({ port, direction, count }: { port: number; direction: Direction; count: number }): void {
    for (let index = 0; index < count; index += 1) {
      const socket = visit(port, (bytes) => {
        receivedBytes += bytes.length;
      });
      streams.add(socket);
      // Whoever measures sees that nothing moves any more.
      socket.on('error', () => {});
      socket.write(encodeCommand(direction));
      if (direction === 'up') writeBulk(socket, 0);
    }
  },

  /** What bulk streams brought so far, and when that was. */
  received: () => ({ bytes: receivedBytes, atMs: performance.now() }),

  async stopStreams(): Promise<void> {
    // Reset: what is still on its way is not worth carrying.
    for (const socket of streams) socket.resetAndDestroy();
    await Promise.all([...streams].map(gone));
    streams.clear();
  },

  /** Moves so many bytes over a new stream. Returns the ms from the command to the last byte. */
  async transfer({ port, direction, bytes }: { port: number; direction: Direction; bytes: number }): Promise<number> {
    const visit = new Visit(port);
    await visit.connected();
    const began = performance.now();
    const answered = visit.ask(encodeCommand(direction, bytes), direction === 'up' ? 1 : bytes);
    if (direction === 'up') writeBulk(visit.socket, bytes);
    await answered;
    const tookMs = performance.now() - began;
    await visit.close();
    return tookMs;
  },

  /** Sends 64 bytes and waits for them, again and again on one connection. */
  async roundTrips({ port, durationMs }: { port: number; durationMs: number }) {
    const visit = new Visit(port);
    await visit.ask(Buffer.concat([encodeCommand('echo'), PING]), PING.length);
    const tookUs: number[] = [];
    const deadlineMs = performance.now() + durationMs;
    for (let began = 0; (began = performance.now()) < deadlineMs;) {
      await visit.ask(PING, PING.length);
      tookUs.push((performance.now() - began) * 1000);
    }
    await visit.close();
    return { count: tookUs.length, p50Us: percentile(tookUs, 50), p99Us: percentile(tookUs, 99) };
  },

  /** Short connections, one byte each, `atOnce` at a time. Returns how many there were a second. */
  async connections({
    port,
    atOnce,
    durationMs,
  }: {
    port: number;
    atOnce: number;
    durationMs: number;
  }): Promise<number> {
    const began = performance.now();
    const loops = Array.from({ length: atOnce }, () => connectUntil(port, began + durationMs));
    const counts = await Promise.all(loops);
    return (counts.reduce((sum, count) => sum + count, 0) / (performance.now() - began)) * 1000;
  },

  /** One visitor after the other; returns how long each waited for its first byte, in ms. */
  async firstBytes({ port, count }: { port: number; count: number }): Promise<number[]> {
    const tookMs: number[] = [];
    while (tookMs.length < count) tookMs.push(await firstByte(port));
    return tookMs;
  },

  /** Opens so many connections, sees that each works, and keeps them. */
  async hold({ port, count }: { port: number; count: number }): Promise<void> {
    let left = count;
    const open = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const visit = new Visit(port);
        held.add(visit);
        await visit.ask(encodeCommand('one'), 1);
      }
    };
    await Promise.all(Array.from({ length: HOLD_AT_ONCE }, open));
  },

  async release(): Promise<void> {
    await Promise.all([...held].map((visit) => visit.close()));
    held.clear();
  },
};

export type VisitorCalls = typeof calls;

serveCalls(calls);
