import { Holdings } from '../shares/holdings.ts';

/** Sessions that a server keeps. */
export const SESSION_LIMIT = 16_384;

/** Sessions that one key may have, where the authorized keys say nothing else. */
export const SESSIONS_PER_KEY = 256;

/** Whom a session counts for. */
export interface SessionOwner {
  /** The client's public key. */
  readonly key: string;
  /** Key and instance: each process of a client has one session at most. */
  readonly process: string;
  /** Who shares the table: a key that is listed; else where the client comes from, since keys cost nothing to make. */
  readonly peer: string;
  /** Where its last link came from. */
  readonly source: string;
}

/** What the table has to know of a session. */
export interface TableSession {
  readonly hasLink: boolean;
  readonly hasVisitors: boolean;
}

export type Room<T> =
  | { readonly kind: 'free' }
  /** There is room once this one ended. */
  | { readonly kind: 'instead-of'; readonly session: T }
  | { readonly kind: 'none'; readonly reason: string };

interface Entry<T> {
  readonly session: T;
  owner: SessionOwner;
}

/** The sessions of a server, and who has to make room once there are too many of them. */
export class SessionTable<T extends TableSession> {
  readonly #byProcess = new Map<string, Entry<T>>();
  readonly #byKey = new Map<string, Set<Entry<T>>>();
  readonly #byPeer = new Map<string, Set<Entry<T>>>();
  readonly #peers = new Holdings<string>();
  readonly #sources = new Holdings<string>();

  get size(): number {
    return this.#byProcess.size;
  }

  /** In the order in which they began. */
  *sessions(): Iterable<T> {
    for (const { session } of this.#byProcess.values()) yield session;
  }

  get(process: string): T | undefined {
    return this.#byProcess.get(process)?.session;
  }

  /** Whether sessions come from there. */
  hasFrom(source: string): boolean {
    return this.#sources.countOf(source) > 0;
  }

  /** Whether one more session of this client, which has none yet, fits in. */
  roomFor({ key, peer }: SessionOwner, keyLimit: number = SESSIONS_PER_KEY): Room<T> {
    const own = this.#byKey.get(key);
    if (own && own.size >= keyLimit) {
      const idle = find(own, isForsaken);
      if (idle) return { kind: 'instead-of', session: idle };
      return { kind: 'none', reason: `this key may have ${keyLimit} session${keyLimit === 1 ? '' : 's'} at a time` };
    }
    if (this.size < SESSION_LIMIT) return { kind: 'free' };
    const most = this.#peers.most ?? peer;
    const surplus = this.#peers.countOf(most) - this.#peers.countOf(peer);
    const theirs = this.#byPeer.get(most);
    // Of somebody who has more also what only waits for visitors; never what is in use.
    const idle = find(theirs, isForsaken) ?? (surplus > 1 ? find(theirs, isIdle) : undefined);
    const spare = idle ?? find(this.#byPeer.get(peer), isForsaken);
    if (spare) return { kind: 'instead-of', session: spare };
    return { kind: 'none', reason: `it has ${SESSION_LIMIT} sessions` };
  }

  add(session: T, owner: SessionOwner): void {
    const entry = { session, owner };
    this.#byProcess.set(owner.process, entry);
    addTo(this.#byKey, owner.key, entry);
    this.#count(entry);
  }

  /** The session has a new link, perhaps from somewhere else. */
  moved(owner: SessionOwner): void {
    const entry = this.#byProcess.get(owner.process);
    if (!entry) return;
    this.#uncount(entry);
    entry.owner = owner;
    this.#count(entry);
  }

  delete(process: string, session: T): void {
    const entry = this.#byProcess.get(process);
    if (entry?.session !== session) return;
    this.#byProcess.delete(process);
    deleteFrom(this.#byKey, entry.owner.key, entry);
    this.#uncount(entry);
  }

  #count(entry: Entry<T>): void {
    const { peer, source } = entry.owner;
    addTo(this.#byPeer, peer, entry);
    this.#peers.add(peer);
    this.#sources.add(source);
  }

  #uncount(entry: Entry<T>): void {
    const { peer, source } = entry.owner;
    deleteFrom(this.#byPeer, peer, entry);
    this.#peers.remove(peer);
    this.#sources.remove(source);
  }
}

function isIdle({ hasVisitors }: TableSession): boolean {
  return !hasVisitors;
}

/** Its client may come back, and nobody waits for it. */
function isForsaken({ hasLink, hasVisitors }: TableSession): boolean {
  return !hasLink && !hasVisitors;
}

function find<T>(entries: Iterable<Entry<T>> = [], predicate: (session: T) => boolean): T | undefined {
  for (const { session } of entries) if (predicate(session)) return session;
  return undefined;
}

function addTo<T>(sets: Map<string, Set<T>>, key: string, item: T): void {
  const set = sets.get(key);
  if (set) set.add(item);
  else sets.set(key, new Set([item]));
}

function deleteFrom<T>(sets: Map<string, Set<T>>, key: string, item: T): void {
  const set = sets.get(key);
  set?.delete(item);
  if (set?.size === 0) sets.delete(key);
}
