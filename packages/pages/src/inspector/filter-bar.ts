import type { VNode } from 'preact';
import { type Filter, NO_FILTER } from './filter.ts';
import { html } from '../parts/html.ts';

export interface FilterBarProps {
  readonly filter: Filter;
  /** Those that there are. */
  readonly methods: readonly string[];
  readonly onFilter: (filter: Filter) => void;
}

const STATUSES = ['1xx', '2xx', '3xx', '4xx', '5xx'];

export function FilterBar({ filter, methods, onFilter }: FilterBarProps): VNode {
  const change =
    (key: keyof Filter) =>
    ({ target }: Event): void =>
      onFilter({ ...filter, [key]: (target as HTMLInputElement).value });
  const isOn = Object.values(filter).some((value) => value !== '');
  return html`<search class="filter">
    <label>
      method
      <select value=${filter.method} onChange=${change('method')}>
        <option value="">all</option>
        ${methods.map((method) => html`<option key=${method} value=${method}>${method}</option>`)}
      </select>
    </label>
    <label>
      status
      <input list="statuses" size="4" value=${filter.status} placeholder="all" onInput=${change('status')} />
    </label>
    <datalist id="statuses">
      ${STATUSES.map((status) => html`<option key=${status} value=${status}></option>`)}
    </datalist>
    <label class="wide"
      >path <input id="filter-path" type="search" value=${filter.path} onInput=${change('path')}
    /></label>
    <label class="wide">text <input type="search" value=${filter.text} onInput=${change('text')} /></label>
    <button type="button" disabled=${!isOn} onClick=${() => onFilter(NO_FILTER)}>all</button>
  </search>`;
}
