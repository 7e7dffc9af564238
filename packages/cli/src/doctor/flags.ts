import type { Flag } from '../settings/flags.ts';
import { LOCAL_FLAGS } from '../settings/local-settings.ts';

/** The flags of `tunnel local` that determine how the server is reached, and as whom. */
export const DOCTOR_FLAGS = {
  config: LOCAL_FLAGS.config,
  to: LOCAL_FLAGS.to,
  'local-host': LOCAL_FLAGS['local-host'],
  secret: LOCAL_FLAGS.secret,
  'secret-file': LOCAL_FLAGS['secret-file'],
  'server-key': LOCAL_FLAGS['server-key'],
  identity: LOCAL_FLAGS.identity,
  ca: LOCAL_FLAGS.ca,
  proxy: LOCAL_FLAGS.proxy,
  'connect-timeout': LOCAL_FLAGS['connect-timeout'],
  'heartbeat-interval': LOCAL_FLAGS['heartbeat-interval'],
  'heartbeat-timeout': LOCAL_FLAGS['heartbeat-timeout'],
  long: { describe: 'stay for 70 seconds, to see whether something in between cuts idle connections', isSwitch: true },
  'state-dir': LOCAL_FLAGS['state-dir'],
  output: LOCAL_FLAGS.output,
} as const satisfies Readonly<Record<string, Flag>>;
