import type { VNode } from 'preact';
import type { Message } from '../api/inspector.ts';
import { fromBase64, hexDump, isText, prettyJson, textOf } from './body-content.ts';
import { formatBytes, formatMs } from '../parts/formats.ts';
import { html } from '../parts/html.ts';

export interface MessagesProps {
  /** The newest, the oldest of them first. */
  readonly messages: readonly Message[];
  /** Of all that there were. */
  readonly count: number;
}

/** What came and went on a WebSocket, or the events of a server. */
export function Messages({ messages, count }: MessagesProps): VNode {
  const dropped = count - messages.length;
  return html`<section aria-label="messages">
    <h2>Messages <span class="faint">${count}</span></h2>
    ${dropped > 0 ? html`<p class="note">the first ${dropped} are not kept any more</p>` : null}
    <ol class="messages" tabindex="0">
      ${messages.map(
        (message, index) =>
          html`<li key=${dropped + index} class=${message.direction}>
            <span class="faint">${aboutMessage(message)}</span>
            <pre>${contentOf(message)}</pre>
          </li>`,
      )}
    </ol>
  </section>`;
}

function aboutMessage({ direction, kind, atMs, bytes, isCompressed }: Message): string {
  const way = direction === 'received' ? '→ service' : '← service';
  return [way, kind, formatMs(atMs), formatBytes(bytes), ...(isCompressed ? ['compressed'] : [])].join('  ');
}

function contentOf({ kind, payload, isCompressed }: Message): string {
  const data = fromBase64(payload);
  if (kind === 'close' && data.length >= 2 && !isCompressed) {
    return `${new DataView(data.buffer).getUint16(0)} ${textOf(data.subarray(2))}`;
  }
  if (isCompressed || !isText(data)) return hexDump(data);
  const text = textOf(data);
  return prettyJson(text) ?? text;
}
