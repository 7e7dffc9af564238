/** A section of the list of failures: what it is in prose, whose last sentence is the outcome, and what is printed. */
export interface FailureSection {
  readonly id: string;
  readonly title: string;
  readonly prose: string;
  readonly lines: readonly string[];
}

const SECTION = /^### (.+)\n\n((?!#|```)(?:(?!\n```|\n#)[^])*)\n\n```text ([\w-]+)\n([^]*?)\n```$/gm;

export function failureSections(document: string): readonly FailureSection[] {
  return [...document.matchAll(SECTION)].map(([, title = '', prose = '', id = '', text = '']) => ({
    id,
    title,
    prose: prose.replaceAll('\n', ' '),
    lines: text.split('\n'),
  }));
}

/** The document with other lines in the sections that are named. */
export function withLines(document: string, linesById: ReadonlyMap<string, readonly string[]>): string {
  return document.replace(SECTION, (section, _title, _prose, id: string, text: string) => {
    const lines = linesById.get(id);
    return lines === undefined ? section : `${section.slice(0, -text.length - 4)}${lines.join('\n')}\n\`\`\``;
  });
}
