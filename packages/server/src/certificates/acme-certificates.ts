import { TunnelError } from '@tunnel/shared';
import { type AcmeAuthority, AuthorityError, type ChallengeKind } from './acme-authority.ts';
import type { AcmeFiles, KeptCertificates } from './acme-files.ts';
import { AcmeIssuer } from './acme-issuer.ts';
import type { CertificateStore } from './certificate-store.ts';
import { checkKeyPair, type CheckedKeyPair, requireFor } from './key-pair.ts';

/** What tunnels ask for within this time is looked at together: there may be thousands of them, in ms. */
const GATHER_MS = 50;

/** The issuer is asked at least this often: the wall clock may jump. */
const LOOK_MS = 30_000;

export interface AcmeCertificatesOptions {
  readonly store: CertificateStore;
  readonly files: AcmeFiles;
  /** What the server can answer; of several the next one is tried after a failure. */
  readonly kinds: readonly ChallengeKind[];
  readonly weeklyLimit: number;
  /** Called once there is something to order. */
  readonly openAuthority: (files: AcmeFiles) => Promise<AcmeAuthority>;
  readonly wallNow: () => number;
  readonly random: () => number;
}

export interface AcmeCertificatesHandlers {
  readonly onIssued: (host: string, validUntil: string, isRenewal: boolean) => void;
  readonly onWarning: (error: TunnelError) => void;
}

/**
 * Certificates that the server gets by itself, for its own names and those that tunnels have: takes up those on disk, orders
 * what the issuer says, and puts what comes into the store.
 */
export class AcmeCertificates implements Disposable {
  readonly #options: AcmeCertificatesOptions;
  readonly #handlers: AcmeCertificatesHandlers;
  readonly #issuer: AcmeIssuer;
  readonly #own: ReadonlySet<string>;
  readonly #abort = new AbortController();
  /** Names whose certificates come from here. */
  readonly #certified = new Set<string>();
  /** Names of which was told that a limit keeps them waiting. */
  readonly #limited = new Set<string>();
  #authority: Promise<AcmeAuthority> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #wake: NodeJS.Timeout | undefined;

  /** `own`: names of the server itself. */
  constructor(
    options: AcmeCertificatesOptions,
    handlers: AcmeCertificatesHandlers,
    own: readonly string[],
    { certificates, records }: KeptCertificates,
  ) {
    this.#options = options;
    this.#handlers = handlers;
    this.#own = new Set(own);
    this.#issuer = new AcmeIssuer({ weeklyLimit: options.weeklyLimit, records, random: options.random });
    for (const [host, certificate] of certificates) {
      this.#issuer.known(host, certificate.validity);
      this.#take(host, certificate);
    }
  }

  /** Orders for the server's own names, from here on for others too. */
  start(): void {
    for (const host of this.#own) this.want(host, '');
    this.#timer = setInterval(() => this.#work(), LOOK_MS);
    this.#timer.unref();
    this.#work();
  }

  /** A tunnel was granted this name; `share` is whom it counts for. */
  want(host: string, share: string): void {
    // There is one in files.
    if (this.#options.store.covers(host) && !this.#certified.has(host)) return;
    this.#issuer.want(host, share);
    if (!this.#timer) return;
    this.#gathering ??= setTimeout(() => this.#work(), GATHER_MS);
  }

  /** The tunnel is gone. */
  drop(host: string): void {
    if (!this.#own.has(host)) this.#issuer.drop(host);
    this.#limited.delete(host);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    clearTimeout(this.#gathering);
    clearTimeout(this.#wake);
    this.#timer = undefined;
    this.#abort.abort();
  }

  #work(): void {
    const { signal } = this.#abort;
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    if (signal.aborted) return;
    const now = this.#options.wallNow();
    for (const host of this.#issuer.ended(now)) this.#forget(host);
    for (let host = this.#issuer.next(now); host !== undefined; host = this.#issuer.next(now)) {
      void this.#order(host, signal);
    }
    for (const { host, limit } of this.#issuer.limited(now)) this.#tellLimit(host, limit);
    this.#wakeAt(this.#issuer.dueAt(now), now);
  }

  /** Sooner than the next look. */
  #wakeAt(dueAt: number | undefined, now: number): void {
    clearTimeout(this.#wake);
    if (dueAt === undefined || dueAt - now >= LOOK_MS) return;
    this.#wake = setTimeout(() => this.#work(), Math.max(0, dueAt - now));
    this.#wake.unref();
  }

  async #order(host: string, signal: AbortSignal): Promise<void> {
    const { kinds, wallNow, files } = this.#options;
    try {
      const kind = kinds[this.#issuer.failuresOf(host) % kinds.length] ?? 'http-01';
      const authority = await this.#open();
      const pair = this.#check(host, await authority.order(host, kind, signal));
      const isRenewal = this.#certified.has(host);
      this.#issuer.issued(host, pair.validity, wallNow());
      // Before it is told: a restart must not ask again. Where the disk does not take it, it is of use all the same.
      await this.#keep(host, pair);
      if (signal.aborted) return;
      this.#take(host, pair);
      this.#handlers.onIssued(host, new Date(pair.validity.untilMs).toISOString(), isRenewal);
    } catch (error) {
      if (signal.aborted) return;
      this.#failed(host, error);
      await files.writeRecords(this.#issuer.records).catch((failure: unknown) => this.#warn(failure));
    }
    this.#work();
  }

  async #keep(host: string, pair: CheckedKeyPair): Promise<void> {
    const { files } = this.#options;
    try {
      await files.write(host, pair);
      await files.writeRecords(this.#issuer.records);
    } catch (error) {
      this.#warn(error);
    }
  }

  #open(): Promise<AcmeAuthority> {
    return (this.#authority ??= this.#options.openAuthority(this.#options.files).catch((error: unknown) => {
      this.#authority = undefined;
      throw error;
    }));
  }

  /** What an authority gives is not taken at its word. */
  #check(host: string, pair: { readonly cert: string; readonly key: string }): CheckedKeyPair {
    try {
      const checked = checkKeyPair(pair);
      requireFor(host, checked, this.#options.wallNow());
      return checked;
    } catch (cause) {
      throw new AuthorityError((cause as Error).message, { isAuthoritys: true, cause });
    }
  }

  #failed(host: string, error: unknown): void {
    const { isAuthoritys, retryAfterMs, message } =
      error instanceof AuthorityError
        ? error
        : { isAuthoritys: true, retryAfterMs: 0, message: error instanceof Error ? error.message : String(error) };
    const pauseMs = this.#issuer.failed(host, isAuthoritys, retryAfterMs, this.#options.wallNow());
    const next = `next attempt in ${Math.ceil(pauseMs / 60_000)} min`;
    this.#handlers.onWarning(
      new TunnelError('certificate-failed', { detail: `${host}: ${message}; ${next}`, cause: error }),
    );
  }

  #warn(error: unknown): void {
    this.#handlers.onWarning(error instanceof TunnelError ? error : new TunnelError('internal', { cause: error }));
  }

  #tellLimit(host: string, limit: 'week' | 'share'): void {
    if (this.#limited.has(host)) return;
    this.#limited.add(host);
    const detail = limit === 'week' ? `${host}: this week's new ones are used up` : `${host}: its client has its share`;
    this.#handlers.onWarning(new TunnelError('certificate-limit', { detail }));
  }

  #take(host: string, { cert, key }: CheckedKeyPair): void {
    this.#certified.add(host);
    this.#limited.delete(host);
    this.#options.store.put(`acme ${host}`, { cert, key }, this.#own.has(host));
  }

  #forget(host: string): void {
    this.#certified.delete(host);
    this.#options.store.remove(`acme ${host}`);
    this.#options.files.remove(host).catch((error: unknown) => this.#warn(error));
  }
}
