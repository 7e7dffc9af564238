import type { CorpusCase } from './corpus-case.ts';

/** Something that the tunnel passes on and nginx does not, and why that harms nobody. */
export interface Allowance {
  readonly why: string;
  /** By their names; all if there are none. */
  readonly cases?: readonly string[];
  /** In the words of the judgement. */
  readonly difference: RegExp;
  /** Only some versions of Node differ. */
  readonly dependsOnNode?: boolean;
}

export const allowances: readonly Allowance[] = [
  {
    why: 'White space around a value is none of it (RFC 9110, section 5.5), and is not passed on.',
    cases: ['a length behind spaces and tabs'],
    difference: /^it passes on (POST|GET) /,
    dependsOnNode: true,
  },
  {
    why: 'A WebSocket works through the tunnel; nginx passes on an upgrade only if it is told to.',
    difference: /^it passes on upgrade: websocket$/,
  },
  {
    why: 'Whether a body is wanted is up to the service; nginx says so in its place, and drops the field.',
    difference: /^it passes on expect: /,
  },
  {
    why: 'A list of expectations is one of which the service does not know all: it may refuse the request itself.',
    cases: ['two expectations'],
    difference: /^it passes on (POST|GET) /,
  },
  {
    why: 'Bodies pass as they come. The service has a request that does not come to its end, and so is none.',
    difference: /^it passes on the beginning of /,
  },
  {
    why: 'Trailers pass, but for those about the message, its host and its sender; services keep them apart from fields.',
    difference: /^it passes on trailers: (Checksum|A[ \dA]*)$/,
  },
  {
    why: 'Names that HTTP allows and nginx does not like; those that pass for a known field with a hyphen are dropped.',
    cases: [
      'a name with an underscore',
      'a name with a dot',
      'a name of all characters that it may have',
      'a name of a property of all objects',
    ],
    difference: /^it passes on (a_b|a\.b|!#|__proto__)/,
  },
  {
    why: 'The tunnel has no paths of its own, and so no rules for them: what one means is up to the service, as without a tunnel.',
    cases: [
      'a target with dots',
      'a target with escaped dots',
      'a target with an escaped NUL',
      'a target with a broken escape',
      'a target with half an escape',
      'OPTIONS for all',
    ],
    difference: /^it passes on (GET|OPTIONS) /,
  },
  {
    why: 'Node reads it as HTTP/1.0, and it is passed on as a request of HTTP/1.1 in good order: nothing of the name is left.',
    cases: ['GET of RTSP/1.0', 'ICE/1.0', 'SOURCE of ICE/1.0'],
    difference: /^it passes on (GET|SOURCE) /,
  },
];

export function allowanceFor({ name }: CorpusCase, difference: string): Allowance | undefined {
  return allowances.find(
    (allowance) => (allowance.cases?.includes(name) ?? true) && allowance.difference.test(difference),
  );
}
