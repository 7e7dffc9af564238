import type { Exchange } from './exchange-tap.ts';
import type { AnswerHead } from './message-head.ts';

/** What is looked at of an answer. The refusals are a sentence or a page. */
const LOOKED_AT_BYTES = 4_096;

/** A dev server that answers only to its own name, by what it says to others. */
const REFUSALS: readonly { readonly server: string; readonly sign: RegExp; readonly paths?: RegExp }[] = [
  // Angular's dev server is built on it.
  { server: 'Vite', sign: /^\s*Blocked request\. This host \(/ },
  { server: 'webpack-dev-server', sign: /^\s*Invalid Host\/?(?:Origin)? header\b/ },
  { server: 'Rails', sign: /\bBlocked hosts?\b/ },
  // It says no more than that, to requests for its own files with a foreign Origin.
  { server: 'Next.js', sign: /^\s*Unauthorized\s*$/, paths: /^\/_(?:_nextjs|next)/ },
];

/** Finds out whether a service refuses a request because of its Host. */
export class HostRefusalLook {
  #chunks: Uint8Array[] = [];
  #length = 0;

  /** Whether this answer may be such a refusal, and its body is to be looked at. */
  begin({ status, isEncoded, length }: AnswerHead): boolean {
    this.#chunks = [];
    this.#length = 0;
    return status === 403 && !isEncoded && !(length.kind === 'known' && length.bytes > LOOKED_AT_BYTES);
  }

  add(data: Uint8Array): void {
    const part = data.subarray(0, LOOKED_AT_BYTES - this.#length);
    if (part.length > 0) this.#chunks.push(new Uint8Array(part));
    this.#length += part.length;
  }

  /** The dev server that it is from; undefined if it is another answer. */
  serverOf({ target }: Exchange): string | undefined {
    if (this.#length === 0) return undefined;
    const text = Buffer.concat(this.#chunks).toString('latin1');
    this.#chunks = [];
    this.#length = 0;
    return REFUSALS.find(({ sign, paths }) => sign.test(text) && (paths?.test(target) ?? true))?.server;
  }
}
