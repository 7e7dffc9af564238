import type { VNode } from 'preact';
import { useEffect, useMemo, useReducer, useState } from 'preact/hooks';
import type { ExchangeList } from '../api/inspector.ts';
import type { Connection } from '../parts/connection.ts';
import { Detail } from '../exchange/detail.ts';
import { FilterBar } from './filter-bar.ts';
import { type Filter, filtered, NO_FILTER } from './filter.ts';
import { html } from '../parts/html.ts';
import { List } from './list.ts';
import { saveArchive } from '../parts/save.ts';
import { type Liveness, Store } from './store.ts';

/** How long nobody types before a text is looked for, in ms. */
const TYPING_MS = 250;
/** How long is told what was done, in ms. */
const NOTE_MS = 5_000;

export function Page({ connection }: { readonly connection: Connection }): VNode {
  const [, refresh] = useReducer((count: number) => count + 1, 0);
  const store = useMemo(() => new Store(connection, () => refresh(undefined)), []);
  useEffect(() => void store.run(), []);
  const [selected, select] = useState<number>();
  const [filter, setFilter] = useState<Filter>(NO_FILTER);
  const containing = useContaining(connection, filter.text, store.exchanges.length);
  const [note, tell] = useNote();

  const { exchanges, liveness, skipped } = store;
  const shown = filtered(exchanges, filter, containing);
  const current = selected === undefined ? undefined : store.find(selected);
  const goBack = (): void => {
    select(undefined);
    focusRow(selected);
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') {
        goBack();
        return;
      }
      const isTyping = event.target instanceof Element && event.target.matches('input, textarea, select');
      if (event.key !== '/' || isTyping) return;
      event.preventDefault();
      document.querySelector<HTMLElement>('#filter-path')?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [selected]);

  if (liveness.kind === 'refused') {
    return html`<main class="alone">
      <h1>tunnel inspector</h1>
      <p role="alert">${liveness.reason}</p>
    </main>`;
  }
  const clear = (): void => void connection.delete('exchanges').catch(() => tell('that failed'));
  const save = (): void =>
    void saveArchive(connection, 'har', 'exchanges.har').then(
      () => tell('saved as a HAR file'),
      () => tell('that failed'),
    );
  return html`<div class=${current ? 'page chosen' : 'page'}>
    <header>
      <h1>tunnel inspector</h1>
      <span class=${`liveness ${liveness.kind}`}>${wordsOf(liveness)}</span>
      <span role="status" class="told">${note}</span>
      <button type="button" onClick=${save} disabled=${exchanges.length === 0}>save all as HAR</button>
      <button type="button" onClick=${clear} disabled=${exchanges.length === 0}>clear</button>
    </header>
    <main>
      <section class="left" aria-label="requests">
        <${FilterBar}
          filter=${filter}
          methods=${[...new Set(exchanges.map(({ method }) => method))].toSorted()}
          onFilter=${setFilter}
        />
        ${skipped > 0 ? html`<p class="note">${skipped} requests came too fast to be recorded</p>` : null}
        ${shown.length === 0 ? html`<p class="faint empty">${exchanges.length === 0 ? 'no requests yet' : 'none of them'}</p>` : null}
        <${List} exchanges=${shown} selected=${selected} onSelect=${select} />
      </section>
      <section class="right" aria-label="details">
        ${
          current
            ? html`<${Detail}
                connection=${connection}
                exchange=${current}
                onBack=${goBack}
                onSelect=${select}
                tell=${tell}
              />`
            : html`<p class="faint empty">
                choose a request; <kbd>↑</kbd> <kbd>↓</kbd> go through the list, <kbd>/</kbd> filters,
                <kbd>Esc</kbd> leads back
              </p>`
        }
      </section>
    </main>
  </div>`;
}

function wordsOf({ kind }: Liveness): string {
  return kind === 'live' ? 'live' : 'not connected';
}

function focusRow(id: number | undefined): void {
  if (id === undefined) return;
  // On a phone's width the list is not shown before the next frame.
  requestAnimationFrame(() => document.querySelector<HTMLElement>(`#exchange-${id}`)?.focus());
}

/** The ids of the exchanges that contain a text; undefined without one. */
function useContaining(connection: Connection, text: string, count: number): ReadonlySet<number> | undefined {
  const [found, setFound] = useState<ReadonlySet<number>>();
  useEffect(() => {
    if (text === '') {
      setFound(undefined);
      return undefined;
    }
    let isWanted = true;
    const timer = setTimeout(() => {
      connection.json<ExchangeList>(`exchanges?text=${encodeURIComponent(text)}`).then(
        ({ exchanges }) => isWanted && setFound(new Set(exchanges.map(({ id }) => id))),
        () => {},
      );
    }, TYPING_MS);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [text, count]);
  return text === '' ? undefined : found;
}

function useNote(): readonly [note: string, tell: (text: string) => void] {
  const [note, setNote] = useState('');
  useEffect(() => {
    if (note === '') return undefined;
    const timer = setTimeout(() => setNote(''), NOTE_MS);
    return () => clearTimeout(timer);
  }, [note]);
  return [note, setNote];
}
