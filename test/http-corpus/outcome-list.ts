/** What is on record of a case, in the words of `describeOutcome`. */
export interface RecordedOutcome {
  readonly nginx: string;
  readonly tunnel: string;
}

export interface OutcomeList {
  /** Of the nginx whose outcomes are on record. */
  readonly nginxVersion: string;
  readonly outcomes: ReadonlyMap<string, RecordedOutcome>;
}

const ENTRY = /^(\S.*)\n {2}nginx {3}(.*)\n {2}tunnel {2}(.*)$/gm;

export function parseOutcomeList(text: string): OutcomeList {
  const outcomes = [...text.matchAll(ENTRY)].map(
    ([, name = '', nginx = '', tunnel = '']) => [name, { nginx, tunnel }] as const,
  );
  return { nginxVersion: /^nginx (\S+)$/m.exec(text)?.[1] ?? '', outcomes: new Map(outcomes) };
}

export function formatOutcomeList({ nginxVersion, outcomes }: OutcomeList): string {
  const entries = [...outcomes].map(
    ([name, { nginx, tunnel }]) => `\n${name}\n  nginx   ${nginx}\n  tunnel  ${tunnel}\n`,
  );
  return [`nginx ${nginxVersion}\n`, ...entries].join('');
}
