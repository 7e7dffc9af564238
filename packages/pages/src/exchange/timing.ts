import type { VNode } from 'preact';
import type { ExchangeSummary } from '../api/inspector.ts';
import { formatMs } from '../parts/formats.ts';
import { html } from '../parts/html.ts';

interface Phase {
  readonly name: 'request' | 'wait' | 'answer';
  readonly ms: number;
}

/** An answer may begin before the request is whole: then there was no wait. */
function phasesOf({ requestEndMs, firstByteMs, endMs }: ExchangeSummary): readonly Phase[] {
  const request = Math.min(requestEndMs ?? endMs ?? 0, firstByteMs ?? Infinity);
  const first = firstByteMs ?? endMs ?? request;
  return [
    { name: 'request', ms: request },
    { name: 'wait', ms: Math.max(0, first - request) },
    { name: 'answer', ms: Math.max(0, (endMs ?? first) - first) },
  ];
}

/** How long its parts took, as bars. */
export function Timing({ exchange }: { readonly exchange: ExchangeSummary }): VNode {
  const phases = phasesOf(exchange);
  const total = phases.reduce((sum, { ms }) => sum + ms, 0) || 1;
  let before = 0;
  return html`<dl class="timing">
    ${phases.map(({ name, ms }) => {
      const style = { marginLeft: `${(100 * before) / total}%`, width: `${(100 * ms) / total}%` };
      before += ms;
      return html`<div key=${name}>
        <dt>${name}</dt>
        <dd>
          <span class="track"><span class=${`span ${name}`} style=${style}></span></span>
          <span class="number">${formatMs(ms)}</span>
        </dd>
      </div>`;
    })}
  </dl>`;
}
