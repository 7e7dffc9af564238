import { ERRORS, type ErrorCode } from '@tunnel/shared';
import { formatLatency } from './latency.ts';
import { type Step, STEP_TITLES, type StepName } from './step.ts';

/** The overall result of all steps. */
export interface Verdict {
  readonly state: Step['state'];
  readonly exitCode: number;
  /** Of the step that counts; undefined if all is well. */
  readonly code: ErrorCode | undefined;
  /** One sentence. */
  readonly text: string;
}

const HELD_BACK =
  'something in between lets the handshake through and holds back what follows: have it pass WebSocket messages on at once, or go around it with wss://';

const NO_ANSWER =
  'what accepts connections there does not answer: check address and port, and whether a proxy in between waits for a server that is down';

/** What to do if the step says more than the error's own hint. */
const ADVICE: Partial<Record<StepName, Partial<Record<ErrorCode, string>>>> = {
  proxy: { 'attempt-timeout': "the proxy does not answer: check its address, and whether it reaches the server's" },
  tls: { 'attempt-timeout': NO_ANSWER },
  websocket: { 'attempt-timeout': NO_ANSWER },
  handshake: { 'attempt-timeout': HELD_BACK },
  secret: { 'attempt-timeout': HELD_BACK },
  latency: { 'heartbeat-timeout': HELD_BACK },
  port: { 'heartbeat-timeout': HELD_BACK },
  stay: {
    'link-reset': 'something in between cuts long connections: raise its limits for WebSockets, or go around it',
    'heartbeat-timeout': 'something in between goes silent after a while: raise its time-outs for WebSockets',
  },
};

/**
 * The first step that failed counts, else the first warning. `roundTripMs` is a visitor's; undefined if it was not
 * measured.
 */
export function verdictOf(steps: readonly Step[], roundTripMs: number | undefined): Verdict {
  const worst = steps.find(({ state }) => state === 'failed') ?? steps.find(({ state }) => state === 'warning');
  const roundTrip =
    roundTripMs === undefined ? '' : `a visitor's bytes go there and back in ${formatLatency(roundTripMs)}`;
  if (worst?.trouble === undefined) {
    return { state: 'ok', exitCode: 0, code: undefined, text: `all is well: ${roundTrip}` };
  }
  const { name, state, trouble } = worst;
  const advice = ADVICE[name]?.[trouble.code] ?? trouble.hint;
  if (state === 'failed') {
    const text = `it fails at the step "${STEP_TITLES[name]}": ${advice}`;
    return { state, exitCode: ERRORS[trouble.code].exitCode, code: trouble.code, text };
  }
  const works = roundTrip === '' ? 'the tunnel works' : `the tunnel works, and ${roundTrip}`;
  return {
    state: 'warning',
    exitCode: 0,
    code: trouble.code,
    text: `${works}; a warning at "${STEP_TITLES[name]}": ${advice}`,
  };
}
