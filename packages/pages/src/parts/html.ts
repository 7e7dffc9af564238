import htm from 'htm';
import { h, type VNode } from 'preact';

type Html = (strings: TemplateStringsArray, ...values: unknown[]) => VNode;

// Its types are those of a CommonJS module, which is not what is bundled.
const library = htm as unknown as typeof htm.default;

/** A template as a tree of elements: what is put into it is text or an attribute, never markup. */
export const html: Html = library.bind(h) as Html;
