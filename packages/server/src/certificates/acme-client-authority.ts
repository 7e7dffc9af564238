import { AsyncLocalStorage } from 'node:async_hooks';
import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Authorization, Client, Order } from 'acme-client';
import { describeSystemError } from '@tunnel/shared/node';
import { type AcmeAuthority, AuthorityError, type ChallengeAnswers, type ChallengeKind } from './acme-authority.ts';
import type { KeyPair } from './certificate-store.ts';

/** How long the authority may take for one answer, in ms. */
const ANSWER_TIMEOUT_MS = 30_000;

/** How long it may take to look whether a name leads here, and to issue the certificate, in ms. */
const DECISION_TIMEOUT_MS = 120_000;

/** How often it is asked whether it has decided: more and more seldom, in ms. */
const FIRST_LOOK_MS = 250;
const GREATEST_LOOK_MS = 5_000;

const ANSWER_LIMIT_BYTES = 1024 * 1024;

/** People read it, and logs keep it. */
const AUTHORITY_WORDS_LIMIT = 500;

export interface AcmeClientOptions {
  readonly directoryUrl: string;
  /** For the account. */
  readonly email: string;
  /** Authorities of the authority itself, in PEM; undefined for Node's own. */
  readonly ca: string | undefined;
  readonly agent: string;
  /** The account's key in PEM; kept by whoever gives it, so that a restart has the same account. */
  readonly accountKey: string;
  readonly answers: ChallengeAnswers;
}

/** One order on its way: how it asks, and what its last answer was like. */
interface Call {
  readonly signal: AbortSignal;
  readonly agent: Agent | undefined;
  status: number | undefined;
  problem: string;
  retryAfterMs: number;
}

/** The library has one HTTP client for all of its clients. */
const calls = new AsyncLocalStorage<Call>();

type AcmeClient = typeof import('acme-client');

/** An authority that speaks ACME (RFC 8555), by `acme-client`, which is loaded here. Asks for nothing before the first order. */
export async function openAcmeClient(options: AcmeClientOptions): Promise<AcmeAuthority> {
  const loaded = await import('acme-client');
  // It is CommonJS, and what bundlers make of that differs.
  const acme = 'default' in loaded ? loaded.default : loaded;
  configure(acme, options.agent);
  return new AcmeClientAuthority(acme, options);
}

class AcmeClientAuthority implements AcmeAuthority {
  readonly #acme: AcmeClient;
  readonly #options: AcmeClientOptions;
  readonly #client: Client;
  readonly #agent: Agent | undefined;
  #account: Promise<unknown> | undefined;

  constructor(acme: AcmeClient, options: AcmeClientOptions) {
    this.#acme = acme;
    this.#options = options;
    const { directoryUrl, accountKey, ca } = options;
    this.#agent = ca === undefined ? undefined : new Agent({ ca });
    this.#client = new acme.Client({ directoryUrl, accountKey });
  }

  async order(host: string, kind: ChallengeKind, signal: AbortSignal): Promise<KeyPair> {
    const call: Call = { signal, agent: this.#agent, status: undefined, problem: '', retryAfterMs: 0 };
    try {
      return await calls.run(call, () => this.#order(host, kind, signal));
    } catch (error) {
      // An authority that lost its accounts gets this one again.
      if (call.problem.endsWith(':accountDoesNotExist')) this.#account = undefined;
      throw error instanceof AuthorityError ? error : toAuthorityError(error, call);
    }
  }

  async #order(host: string, kind: ChallengeKind, signal: AbortSignal): Promise<KeyPair> {
    await this.#ensureAccount();
    const client = this.#client;
    const order = await client.createOrder({ identifiers: [{ type: 'dns', value: host }] });
    for (const authorization of await client.getAuthorizations(order)) {
      if (authorization.status !== 'valid') await this.#prove(host, order, authorization, kind, signal);
    }
    await this.#decided(async () => statusOf(await client.getOrder(order)), ['ready', 'valid'], signal);
    const key = await this.#acme.crypto.createPrivateEcdsaKey();
    const [, request] = await this.#acme.crypto.createCsr({ altNames: [host] }, key);
    await client.finalizeOrder(order, request);
    await this.#decided(async () => statusOf(await client.getOrder(order)), ['valid'], signal);
    const cert = await client.getCertificate(await client.getOrder(order));
    return { cert, key: key.toString() };
  }

  /** One account for all orders, made with the first. */
  #ensureAccount(): Promise<unknown> {
    const { email } = this.#options;
    const account = (this.#account ??= this.#client
      .createAccount({ termsOfServiceAgreed: true, contact: [`mailto:${email}`] })
      .catch((cause: unknown) => {
        this.#account = undefined;
        const call = calls.getStore();
        const { message, retryAfterMs } = toAuthorityError(cause, call);
        throw new AuthorityError(`the account: ${message}`, { isAuthoritys: true, retryAfterMs, cause });
      }));
    return account;
  }

  async #prove(
    host: string,
    order: Order,
    authorization: Authorization,
    kind: ChallengeKind,
    signal: AbortSignal,
  ): Promise<void> {
    const client = this.#client;
    const challenge = authorization.challenges.find(({ type }) => type === kind);
    if (!challenge) {
      const offered = authorization.challenges.map(({ type }) => type).join(', ');
      throw new AuthorityError(`it offers no ${kind}, but ${offered}`, { isAuthoritys: false });
    }
    const keyAuthorization = await client.getChallengeKeyAuthorization(challenge);
    using _answer = await this.#answer(host, authorization, challenge, keyAuthorization);
    await client.completeChallenge(challenge);
    const look = async (): Promise<Decision> => {
      const all = await client.getAuthorizations(order);
      const now = all.find(({ url }) => url === authorization.url);
      const failed = now?.challenges.find(({ type }) => type === kind);
      return { status: now?.status ?? 'missing', error: errorOf(failed) };
    };
    await this.#decided(look, ['valid'], signal);
  }

  async #answer(
    host: string,
    authorization: Authorization,
    { type, token }: Authorization['challenges'][number],
    keyAuthorization: string,
  ): Promise<Disposable> {
    const { answers } = this.#options;
    if (type === 'http-01') return answers.answerRequest(host, token, keyAuthorization);
    const { crypto } = this.#acme;
    const own = await crypto.createPrivateEcdsaKey();
    const [key, cert] = await crypto.createAlpnCertificate(authorization, keyAuthorization, own);
    return answers.answerHello(host, { cert: cert.toString(), key: key.toString() });
  }

  /** Looks until the status is one of these, or never will be. */
  async #decided(look: () => Promise<Decision>, wanted: readonly string[], signal: AbortSignal): Promise<void> {
    const endAt = performance.now() + DECISION_TIMEOUT_MS;
    for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(waitMs * 1.5, GREATEST_LOOK_MS)) {
      const { status, error } = await look();
      if (wanted.includes(status)) return;
      if (status !== 'pending' && status !== 'processing' && status !== 'ready') {
        throw new AuthorityError(error || `the order is ${status}`, { isAuthoritys: false });
      }
      if (performance.now() > endAt) {
        throw new AuthorityError('it did not decide in time', { isAuthoritys: true });
      }
      await sleep(waitMs, undefined, { signal });
    }
  }
}

/** Again and again, to the same effect. */
function configure({ axios }: AcmeClient, agent: string): void {
  Object.assign(axios.defaults, { timeout: ANSWER_TIMEOUT_MS, maxContentLength: ANSWER_LIMIT_BYTES });
  axios.defaults.headers.common['User-Agent'] = agent;
  // The library's own would pause and try again for as long as the authority likes, and lose why a connection failed.
  axios.interceptors.request.clear();
  axios.interceptors.response.clear();
  axios.interceptors.request.use((config) => {
    const { signal, agent: httpsAgent } = calls.getStore() ?? {};
    return Object.assign(config, { signal, httpsAgent });
  });
  axios.interceptors.response.use(
    (response) => {
      const { status, data, headers } = response;
      const problem = textOf((data as { readonly type?: unknown } | undefined)?.type);
      const retryAfterMs = status < 400 ? 0 : retryAfterMsOf(headers['retry-after']);
      Object.assign(calls.getStore() ?? {}, { status, problem, retryAfterMs });
      return response;
    },
    (error: unknown) => {
      Object.assign(calls.getStore() ?? {}, { status: undefined, problem: '' });
      throw error;
    },
  );
}

interface Decision {
  readonly status: string;
  readonly error: string;
}

function statusOf(order: Order): Decision {
  return { status: order.status, error: errorOf(order) };
}

/** What the authority says of a challenge or order that failed. */
function errorOf(item: unknown): string {
  const { error } = (item ?? {}) as { readonly error?: { readonly detail?: unknown } };
  return textOf(error?.detail);
}

/** What is no text is nonsense. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Whoever refuses one request with a reason refuses the name; everything else says nothing of it. */
function toAuthorityError(cause: unknown, call: Call | undefined): AuthorityError {
  const { status = 0, problem = '', retryAfterMs = 0 } = call ?? {};
  const isRefusal = status >= 400 && status < 500 && problem !== '' && !problem.endsWith(':accountDoesNotExist');
  return new AuthorityError(wordsOf(cause), { isAuthoritys: !isRefusal, retryAfterMs, cause });
}

function wordsOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause).slice(0, AUTHORITY_WORDS_LIMIT);
  const { code } = cause as NodeJS.ErrnoException;
  const text = code !== undefined && /^E[A-Z]+$/.test(code) ? describeSystemError(cause) : cause.message;
  // Some of them are written over several lines, or empty.
  return (text || code || cause.name).replace(/\s+/g, ' ').slice(0, AUTHORITY_WORDS_LIMIT);
}

/** RFC 9110, section 10.2.3: seconds or a date. */
function retryAfterMsOf(value: unknown): number {
  if (typeof value !== 'string') return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
