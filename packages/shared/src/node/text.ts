// Text that people typed or saved somewhere, and what editors, shells and secret stores leave around it.

const BYTE_ORDER_MARK = '\uFEFF';

const BLANK = /\s/;
const QUOTATION_MARK = /["'`‘’‚“”„«»]/;

/** What to do about a file in UTF-16, which is how PowerShell 5 saves what it is told to write. */
export const UTF16_HINT = 'save it as UTF-8; in PowerShell with Out-File -Encoding ascii';

/** Whether text that was read as UTF-8 is UTF-16 in truth: then its first characters, behind the mark, are half zero. */
export function isUtf16(text: string): boolean {
  return /^\uFFFD{0,2}(?:[^\0]\0|\0[^\0])/.test(text);
}

/** Text without the byte order mark that some editors put in front of it. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text;
}

/** A value that is a line: no byte order mark in front, and no line end behind it, nor anything that follows there. */
export function firstLine(text: string): string {
  return withoutByteOrderMark(text).split(/\r?\n/, 1)[0] ?? '';
}

/**
 * What probably does not belong to a value though it counts as part of it, as a clause about it: `begins with a blank`.
 * Undefined where there is nothing of the kind. The value is not in it.
 */
export function oddityOf(value: string): string | undefined {
  const oddities = [
    describeEnds(value, BLANK, 'a blank'),
    describeEnds(value.trim(), QUOTATION_MARK, 'a quotation mark'),
    /[\r\n]/.test(value.trim()) ? 'has a line end in it' : undefined,
  ].filter((oddity) => oddity !== undefined);
  return oddities.length === 0 ? undefined : oddities.join(' and ');
}

function describeEnds(value: string, kind: RegExp, name: string): string | undefined {
  const begins = kind.test(value.slice(0, 1));
  const ends = kind.test(value.slice(-1));
  if (!begins && !ends) return undefined;
  return `${[begins ? 'begins' : '', ends ? 'ends' : ''].filter((word) => word !== '').join(' and ')} with ${name}`;
}
