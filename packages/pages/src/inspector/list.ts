import type { VNode } from 'preact';
import type { ExchangeSummary } from '../api/inspector.ts';
import { formatBytes, formatMs, formatTime } from '../parts/formats.ts';
import { html } from '../parts/html.ts';

export interface ListProps {
  readonly exchanges: readonly ExchangeSummary[];
  readonly selected: number | undefined;
  readonly onSelect: (id: number) => void;
}

/** The newest first. Arrow keys go from one to the next. */
export function List({ exchanges, selected, onSelect }: ListProps): VNode {
  const longestMs = Math.max(1, ...exchanges.map(({ endMs }) => endMs ?? 0));
  // One of them is in the order of Tab, and the others are reached from there.
  const reachable = exchanges.some(({ id }) => id === selected) ? selected : exchanges[0]?.id;
  return html`<ul class="list" aria-label="exchanges" onKeyDown=${moveFocus}>
    ${exchanges.map((exchange) => {
      const { id, endMs } = exchange;
      return html`<li key=${id}>
        <button
          type="button"
          class="row"
          id=${`exchange-${id}`}
          tabindex=${id === reachable ? 0 : -1}
          aria-current=${id === selected ? 'true' : undefined}
          onClick=${() => onSelect(id)}
        >
          <span class=${`status ${classOf(exchange)}`}>${statusOf(exchange)}</span>
          <span class="method">${exchange.method}</span>
          <span class="path">${exchange.path}</span>
          <span class="faint number">${figuresOf(exchange)}</span>
          <span class="track" aria-hidden="true">
            <span class="span wait" style=${{ width: `${(100 * (endMs ?? 0)) / longestMs}%` }}></span>
          </span>
        </button>
      </li>`;
    })}
  </ul>`;
}

function figuresOf({ replayOf, startedAtMs, sentBytes, endMs }: ExchangeSummary): string {
  const replay = replayOf === null ? [] : ['replay'];
  return [...replay, formatTime(startedAtMs), formatBytes(sentBytes), endMs === null ? '…' : formatMs(endMs)].join(
    '  ',
  );
}

function statusOf({ status, state, kind }: ExchangeSummary): string {
  if (status === null) return state === 'open' ? '…' : 'lost';
  return kind === 'websocket' ? `${status} ws` : String(status);
}

function classOf({ status, state }: ExchangeSummary): string {
  if (status === null) return state === 'open' ? 'open' : 's5';
  return `s${Math.floor(status / 100)}`;
}

const STEPS: Readonly<Record<string, 'nextElementSibling' | 'previousElementSibling'>> = {
  ArrowDown: 'nextElementSibling',
  ArrowUp: 'previousElementSibling',
};

function moveFocus(event: KeyboardEvent): void {
  const item = (event.target as HTMLElement).closest('li');
  const list = item?.parentElement;
  const step = STEPS[event.key];
  const ends: Readonly<Record<string, Element | null | undefined>> = {
    Home: list?.firstElementChild,
    End: list?.lastElementChild,
  };
  const next = step === undefined ? ends[event.key] : item?.[step];
  const row = next?.querySelector<HTMLElement>('.row');
  if (!row) return;
  event.preventDefault();
  row.focus();
}
