import { formatProxyAddress, type LocalTarget, type ServerAddress } from '@tunnel/client';
import type { ClientPlan } from '../settings/client-plan.ts';
import { advise } from '../hints/advice.ts';
import { adviceWithProxy, type UnusedProxy } from '../settings/proxy-choice.ts';
import { checkAddresses } from './addresses.ts';
import { startEcho } from './echo.ts';
import { LinkWalk } from './link-walk.ts';
import { checkLocalService } from './local-service.ts';
import { failed, passed, type Step, type StepName, type Trouble, warned } from './step.ts';
import { checkLatency, checkStay, checkWayBack } from './way-back.ts';

export interface WalkOptions {
  readonly plan: Pick<ClientPlan, 'options' | 'proxy' | 'unusedProxy'>;
  /** Why no proxy is used, for people. */
  readonly whyDirect: string;
  /** A local service to check as well. */
  readonly target: LocalTarget | undefined;
  /** How long to keep the link open at the end, in ms; 0 for not at all. */
  readonly stayMs: number;
  readonly signal: AbortSignal;
  readonly report: (step: Step) => void;
}

/**
 * Walks through a connection until it is done or a step fails. Resolves with a visitor's round trip in ms, if it was
 * measured.
 */
export async function walkConnection(options: WalkOptions): Promise<number | undefined> {
  const { plan, target, signal, report } = options;
  const { server, connectTimeoutMs } = plan.options;
  let roundTripMs: number | undefined;
  if (await canBeReached(server, options)) roundTripMs = await walkLink(options);
  if (target && !signal.aborted) report(await checkLocalService(target, signal, connectTimeoutMs));
  return roundTripMs;
}

/** With a proxy, its name and addresses are part of the step `proxy`. */
async function canBeReached(server: ServerAddress, { plan, whyDirect, signal, report }: WalkOptions): Promise<boolean> {
  if (plan.proxy !== undefined) return true;
  const { unusedProxy } = plan;
  const steps = await checkAddresses(server, signal, plan.options.connectTimeoutMs);
  for (const step of steps) {
    const { state, trouble } = step;
    report(state !== 'failed' || !trouble ? step : failed(step.name, withProxy(trouble, unusedProxy), step.elapsedMs));
  }
  const trouble = steps.find(({ state }) => state === 'failed')?.trouble;
  if (trouble === undefined) report(passed('proxy', `none: ${whyDirect}`));
  else if (unusedProxy !== undefined) {
    const { reason, advice } = unusedProxy;
    report(warned('proxy', { code: trouble.code, reason: `none: ${reason}`, hint: advice }));
  }
  return trouble === undefined;
}

function withProxy(trouble: Trouble, unused: UnusedProxy | undefined): Trouble {
  return { ...trouble, hint: adviceWithProxy(unused, trouble.code, advise(trouble.hint)).text };
}

async function walkLink({ plan, stayMs, signal, report }: WalkOptions): Promise<number | undefined> {
  await using echo = await startEcho();
  const proxy = plan.proxy && `${formatProxyAddress(plan.proxy.address)} (${plan.proxy.source})`;
  const walk = new LinkWalk({ client: plan.options, target: echo.target, proxy, report });
  const onAbort = (): void => walk.client.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    walk.client.start();
    const tunnel = await walk.opened;
    if (!tunnel) return undefined;
    const timeoutMs = plan.options.connectTimeoutMs;
    const latency = await checkLatency(walk, timeoutMs);
    if (!latency) {
      reportEnd('latency', await walk.ended, report);
      return undefined;
    }
    report(latency);
    const visitor = { ...addressOf(tunnel.url), token: echo.token, signal, timeoutMs };
    const wayBack = await checkWayBack(visitor);
    report(wayBack.step);
    if (stayMs > 0 && wayBack.roundTripMs !== undefined) report(await checkStay(walk, visitor, stayMs));
    return wayBack.roundTripMs;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await walk.close();
  }
}

function reportEnd(name: StepName, trouble: Trouble, report: (step: Step) => void): void {
  if (trouble.code !== 'stopped') report(failed(name, trouble));
}

/** A public URL is `tcp://host:port`, with brackets around IPv6. */
function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}
