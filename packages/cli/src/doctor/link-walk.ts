import {
  createClient,
  type AttemptEvent,
  type AttemptPhase,
  type Client,
  type ClientEvents,
  type ClientOptions,
} from '@tunnel/client';
import type { ErrorCode } from '@tunnel/shared';
import { decodeKey, fingerprint, monotonicNow } from '@tunnel/shared/node';
import { formatDuration } from '../values/duration.ts';
import { failed, passed, type Step, type StepName, type Trouble, warned } from './step.ts';
import { adviceOf } from '../hints/advice-for.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Warn about a certificate that expires within this time. */
const CERTIFICATE_LEFT_MS = 14 * DAY_MS;

/**
 * The label of the lease on the doctor's port: never that of a real tunnel, which is its target or a name from the
 * user.
 */
const TUNNEL_NAME = 'tunnel doctor';

const STEP_OF_PHASE: Readonly<Record<AttemptPhase, StepName>> = {
  lookup: 'name',
  connect: 'tcp',
  proxy: 'proxy',
  tls: 'tls',
  upgrade: 'websocket',
  handshake: 'handshake',
  acceptance: 'secret',
};

export interface LinkWalkOptions {
  /** Options of the client that `tunnel local` would be; tunnels, ports and pins are the doctor's own. */
  readonly client: ClientOptions;
  /** The service behind its public port. */
  readonly target: { readonly host: string; readonly port: number };
  /** The proxy on the way, for people; undefined without one. */
  readonly proxy: string | undefined;
  readonly report: (step: Step) => void;
}

/** A step in progress. */
interface StepUnderWay {
  readonly name: StepName;
  readonly beganAt: number;
  finding: string;
  trouble?: Trouble;
}

/** Opens the doctor's own tunnel in its own session, and reports each step from the dial to the public port. */
export class LinkWalk {
  readonly client: Client;
  /** Resolves once the tunnel is open, or with undefined after a failed step was reported. */
  readonly opened: Promise<ClientEvents['ready']['tunnels'][number] | undefined>;
  /** Resolves with the reason when the link is gone. */
  readonly ended: Promise<Trouble>;
  readonly #options: LinkWalkOptions;
  #step: StepUnderWay | undefined;

  constructor(options: LinkWalkOptions) {
    this.#options = options;
    const { pins } = options.client;
    this.client = createClient({
      ...options.client,
      tunnels: [{ target: options.target, name: TUNNEL_NAME }],
      // A diagnosis is not remembered: a first contact remains one.
      pins: pins && { read: (at) => pins.read(at), write: async () => {}, describe: (at) => pins.describe(at) },
      ports: undefined,
      reconnect: false,
    });
    this.client.on('attempt', (event) => this.#onAttempt(event));
    this.ended = new Promise((resolve) => {
      this.client.on('stopped', ({ code, reason, hint }) => resolve({ code, reason, hint: adviceOf(hint).text }));
    });
    this.opened = new Promise((resolve) => {
      this.client.on('ready', ({ tunnels: [tunnel] }) => {
        if (tunnel) this.#found(`${tunnel.url} is open`);
        this.#passStep();
        resolve(tunnel);
      });
      this.client.on('stopped', ({ code, reason, hint }) => {
        this.#failStep({ code, reason, hint: adviceOf(hint).text });
        resolve(undefined);
      });
    });
  }

  /** Releases the port and ends the session. */
  async close(): Promise<void> {
    void this.client.stop();
    await this.ended;
  }

  #onAttempt(event: AttemptEvent): void {
    switch (event.type) {
      case 'phase':
        this.#beginStep(this.#stepOf(event.phase), event.phase);
        return;
      case 'tls':
        this.#foundTls(event);
        return;
      case 'hello':
        this.#foundServer(event);
        return;
      case 'accepted': {
        const window = event.resumeWindowMs === 0 ? 'not at all' : formatDuration(event.resumeWindowMs);
        this.#found(
          `accepted by ${event.agent || 'the server'} (this is ${this.#options.client.agent ?? 'tunnel'}); it keeps a session without a link ${window}, and takes a link for dead after ${formatDuration(event.heartbeatTimeoutMs)}`,
        );
        this.#beginStep('port');
        return;
      }
    }
  }

  /** Until the proxy has answered, everything is about the proxy. */
  #stepOf(phase: AttemptPhase): StepName {
    const isBelow = phase === 'lookup' || phase === 'connect';
    return isBelow && this.#options.proxy !== undefined ? 'proxy' : STEP_OF_PHASE[phase];
  }

  #foundTls({
    protocol,
    cipher,
    certificate: { subject, issuer, validTo },
  }: Extract<AttemptEvent, { type: 'tls' }>): void {
    const until = validTo.toISOString().slice(0, 10);
    this.#found(`${protocol}, ${cipher}; the certificate is for ${subject}, by ${issuer}, until ${until}`);
    if (this.#options.client.verifyCertificate === false || validTo.getTime() - Date.now() > CERTIFICATE_LEFT_MS)
      return;
    this.#doubt({
      code: 'tls-failed',
      reason: `the certificate ends on ${until}`,
      hint: "renew the server's certificate",
    });
  }

  #foundServer({ version, serverKey, expected, isInUpgrade }: Extract<AttemptEvent, { type: 'hello' }>): void {
    const key = fingerprint(decodeKey(serverKey, 'the key of the server'));
    const known =
      expected === undefined ? 'not known yet: `tunnel local` will remember it' : `as it should be, ${expected}`;
    const detour = isInUpgrade
      ? ''
      : '; something in between drops its header, which costs each link one more round trip';
    this.#found(`protocol ${version}, server key ${key}, ${known}${detour}`);
  }

  #beginStep(name: StepName, phase?: AttemptPhase): void {
    if (this.#step?.name === name) return;
    this.#passStep();
    this.#step = { name, beganAt: monotonicNow(), finding: this.#firstFinding(name, phase) };
  }

  #firstFinding(name: StepName, phase: AttemptPhase | undefined): string {
    if (name === 'proxy') return `${this.#options.proxy} opened the way`;
    return phase === 'upgrade' ? 'open' : '';
  }

  #found(finding: string): void {
    if (this.#step) this.#step.finding = finding;
  }

  #doubt(trouble: Trouble): void {
    if (this.#step) this.#step.trouble = trouble;
  }

  #passStep(): void {
    const step = this.#step;
    this.#step = undefined;
    // Without a proxy each address has already been tried and reported.
    if (!step || step.name === 'name' || step.name === 'tcp') return;
    const elapsedMs = monotonicNow() - step.beganAt;
    const { name, finding, trouble } = step;
    this.#options.report(trouble ? warned(name, trouble, elapsedMs, finding) : passed(name, finding, elapsedMs));
  }

  #failStep(trouble: Trouble): void {
    const step = this.#step;
    this.#step = undefined;
    if (step) this.#options.report(failed(step.name, trouble, monotonicNow() - step.beganAt));
    else if (trouble.code !== 'stopped') this.#options.report(failed(stepBeforeDial(trouble.code), trouble));
  }
}

/** Pins are read before the first attempt. */
function stepBeforeDial(code: ErrorCode): StepName {
  return code.startsWith('state-') ? 'files' : 'settings';
}
