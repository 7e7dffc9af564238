// What a body can be shown as. Pure, and everything in it is data: what comes out is text.

export interface FormField {
  readonly name: string;
  readonly value: string;
}

const IMAGES: ReadonlySet<string> = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/bmp',
  'image/svg+xml',
  'image/x-icon',
  'image/vnd.microsoft.icon',
]);

const HEX_LIMIT_BYTES = 16 * 1024;
const HEX_LINE_BYTES = 16;

function typeOf(mediaType: string): string {
  return (mediaType.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/** The type for an `img`; undefined for what is no image. */
export function imageTypeOf(mediaType: string): string | undefined {
  const type = typeOf(mediaType);
  return IMAGES.has(type) ? type : undefined;
}

/** JSON with a line for each value; undefined if it is none. */
export function prettyJson(text: string): string | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return undefined;
  }
}

/** The fields of a form; undefined if it is none. */
export function formFields(data: Uint8Array, mediaType: string): readonly FormField[] | undefined {
  switch (typeOf(mediaType)) {
    case 'application/x-www-form-urlencoded':
      return [...new URLSearchParams(textOf(data))].map(([name, value]) => ({ name, value }));
    case 'multipart/form-data': {
      const [, quoted, plain] = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(mediaType) ?? [];
      const boundary = quoted ?? plain;
      return boundary === undefined ? undefined : partsOf(data, boundary);
    }
    default:
      return undefined;
  }
}

function partsOf(data: Uint8Array, boundary: string): readonly FormField[] {
  // Each character stands for a byte.
  const text = new TextDecoder('latin1').decode(data);
  const parts = `\r\n${text}`.split(`\r\n--${boundary}`).slice(1);
  return parts.flatMap((part) => {
    const end = part.indexOf('\r\n\r\n');
    if (end === -1) return [];
    const head = utf8(part.slice(0, end));
    const content = part.slice(end + 4);
    const name = /\bname="([^"]*)"/i.exec(head)?.[1] ?? '';
    const file = /\bfilename="([^"]*)"/i.exec(head)?.[1];
    return [{ name, value: file === undefined ? utf8(content) : `file ${file}, ${content.length} bytes` }];
  });
}

function utf8(latin1: string): string {
  return textOf(Uint8Array.from(latin1, (character) => character.charCodeAt(0)));
}

export function textOf(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** Whether it is UTF-8 without control characters that nobody writes. */
export function isText(data: Uint8Array): boolean {
  try {
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    return !/[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/.test(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch {
    return false;
  }
}

/** Offset, bytes and characters, 16 bytes a line. */
export function hexDump(data: Uint8Array): string {
  const shown = data.subarray(0, HEX_LIMIT_BYTES);
  const lines: string[] = [];
  for (let offset = 0; offset < shown.length; offset += HEX_LINE_BYTES) {
    const bytes = [...shown.subarray(offset, offset + HEX_LINE_BYTES)];
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const characters = bytes.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${offset.toString(16).padStart(6, '0')}  ${hex.padEnd(HEX_LINE_BYTES * 3 - 1)}  ${characters}`);
  }
  if (data.length > shown.length) lines.push(`… ${data.length - shown.length} more bytes`);
  return lines.join('\n');
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

export function toBase64(data: Uint8Array): string {
  let text = '';
  for (const byte of data) text += String.fromCharCode(byte);
  return btoa(text);
}
