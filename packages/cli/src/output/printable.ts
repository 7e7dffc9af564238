/** The most characters of a peer's text to print. */
const MAX_CHARACTERS = 1000;

// Control characters (C0, DEL, C1), which move the cursor and set titles, and characters that reorder text or break
// lines.
// oxlint-disable-next-line no-control-regex -- they are what this is about
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/;
const EACH_UNPRINTABLE = new RegExp(UNPRINTABLE, 'g');

/** Foreign text made safe to show: without control characters, on one line, not too long. */
export function printable(text: string): string {
  const clean = text.replaceAll(EACH_UNPRINTABLE, (run) => (/[\t\n\r]/.test(run) ? ' ' : ''));
  return clean.length <= MAX_CHARACTERS ? clean : `${clean.slice(0, MAX_CHARACTERS)}…`;
}

/** An event with all its text made printable: itself, or a copy. */
export function printableValue<Value>(value: Value): Value {
  return isPrintable(value) ? value : (clean(value) as Value);
}

/** Worth checking first: almost everything is printable, and a busy tunnel reports thousands of visitors a second. */
function isPrintable(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= MAX_CHARACTERS && !UNPRINTABLE.test(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.values(value).every(isPrintable);
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return printable(value);
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, clean(part)]));
}
