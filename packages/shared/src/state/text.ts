// Values that people typed or saved, with whatever an editor, a shell or a secret store left around them.

const BYTE_ORDER_MARK = '\uFEFF';

const BLANK = /\s/;
const QUOTATION_MARK = /["'`‘’‚“”„«»]/;

/**
 * Whether text decoded as UTF-8 is really UTF-16, which `>` writes in PowerShell 5: after the byte order mark, one of
 * each pair of bytes is zero.
 */
export function isUtf16(text: string): boolean {
  return /^\uFFFD{0,2}(?:[^\0]\0|\0[^\0])/.test(text);
}

/** The text without a leading byte order mark, which some editors add. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text;
}

/** The first line, without a leading byte order mark and without its line end. */
export function firstLine(text: string): string {
  return withoutByteOrderMark(text).split(/\r?\n/, 1)[0] ?? '';
}

/**
 * What is suspicious about a value, as a clause with the value as its subject: `begins with a blank`. Never quotes the
 * value. Undefined if nothing is.
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
