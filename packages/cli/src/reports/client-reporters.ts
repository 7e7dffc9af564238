import { type ClientEvents, formatProxyAddress } from '@tunnel/client';
import type { ErrorCode } from '@tunnel/shared';
import { decodeKey, fingerprint } from '@tunnel/shared/node';
import type { ClientPlan } from '../settings/client-plan.ts';
import type { Advice } from '../hints/advice.ts';
import { type AdvisedClientEvents, advising } from '../hints/advice-for.ts';
import { adviceWithProxy, type UnusedProxy } from '../settings/proxy-choice.ts';
import { clientLogReporter } from './client-log.ts';
import { clientTextReporter } from './client-text.ts';
import { clientJsonReporter, jsonEmitter } from './json-events.ts';
import type { Output } from '../output/output.ts';
import type { Reporter } from '../output/reporter.ts';
import { throttled } from './throttle.ts';
import { CLIENT_LINES, CLIENT_SCRIPT_EVENTS } from './throttle-rules.ts';

export interface ClientIntroduction {
  /** The server as text. */
  readonly server: string;
  readonly canPressEnter: boolean;
  /** There may be other clients in this process: events and logs say which server they are about. */
  readonly isOneOfMany: boolean;
  /** A proxy of the environment that is not on the way, and perhaps should be. */
  readonly unusedProxy: UnusedProxy | undefined;
  /** What the process ends with, where a signal decides that, and not the client. */
  readonly exitCode?: () => number | undefined;
  /** As in `ClientTextContext`. */
  readonly prefix?: () => string;
}

/** Tells a client's events to whom they are for. */
export function clientReporters(output: Output, introduction: ClientIntroduction): readonly Reporter<ClientEvents>[] {
  const { server, isOneOfMany, unusedProxy, exitCode } = introduction;
  const now = (): Date => new Date();
  const print = (line: string): void => output.stdout.write(line);
  const endsWith = (reporter: Reporter<AdvisedClientEvents>): Reporter<AdvisedClientEvents> => ({
    ...reporter,
    stopped: (event) => reporter.stopped?.({ ...event, exitCode: exitCode?.() ?? event.exitCode }),
  });
  const logger = isOneOfMany ? output.log.child({ server }) : output.log;
  const log = endsWith(throttled(clientLogReporter(logger, shortKey), CLIENT_LINES));
  const forAudience = (): Reporter<AdvisedClientEvents> => {
    switch (output.audience) {
      case 'scripts': {
        const emit = jsonEmitter(print, now);
        const emitNamed: typeof emit = (event, fields) => emit(event, isOneOfMany ? { server, ...fields } : fields);
        return endsWith(throttled(clientJsonReporter(emitNamed, now), CLIENT_SCRIPT_EVENTS));
      }
      case 'people':
        return throttled(clientTextReporter(print, { ...introduction, fingerprint: shortKey, now }), CLIENT_LINES);
      case 'pipe':
        return throttled(publicAddressReporter(print), CLIENT_LINES);
    }
  };
  const complete = (code: ErrorCode, advice: Advice): Advice => adviceWithProxy(unusedProxy, code, advice);
  return [forAudience(), log].map((reporter) => advising(reporter, complete));
}

/** Says where a client is about to connect to, and through what. */
export function tellConnecting({ address: server, proxy: chosen }: ClientPlan, output: Output): void {
  const proxy = chosen && formatProxyAddress(chosen.address);
  if (output.audience !== 'people') output.log.info({ server, proxy }, 'connecting');
  else output.stdout.write(`connecting to ${server}${proxy === undefined ? '' : ` through ${proxy}`}`);
}

/** Prints the public addresses, one a line behind its name if it has one, whenever they are new: for scripts that read no JSON. */
function publicAddressReporter(print: (line: string) => void): Reporter<AdvisedClientEvents> {
  let printed = '';
  return {
    ready: ({ tunnels }) => {
      const addresses = tunnels.map(({ name, url }) => (name === undefined ? url : `${name} ${url}`)).join('\n');
      if (addresses !== printed) print(addresses);
      printed = addresses;
    },
  };
}

function shortKey(key: string): string {
  return fingerprint(decodeKey(key, 'the key of the server'));
}
