import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { EditedRequest, ExchangeDetail, ExchangeSummary, Header, ReplayAnswer } from '../api/inspector.ts';
import { BodyView } from './body-view.ts';
import type { Connection } from '../parts/connection.ts';
import { Editor } from './editor.ts';
import { formatBytes, formatTime } from '../parts/formats.ts';
import { html } from '../parts/html.ts';
import { Messages } from './messages.ts';
import { saveArchive } from '../parts/save.ts';
import { Timing } from './timing.ts';

export interface DetailProps {
  readonly connection: Connection;
  readonly exchange: ExchangeSummary;
  readonly onBack: () => void;
  readonly onSelect: (id: number) => void;
  /** Tells a person what became of what they asked for. */
  readonly tell: (text: string) => void;
}

const STATES: Readonly<Record<ExchangeSummary['state'], string>> = {
  open: 'goes on',
  whole: '',
  cut: 'the connection ended before the answer did',
  unread: 'what followed could not be read as HTTP',
};

/** One exchange in full. */
export function Detail({ connection, exchange, onBack, onSelect, tell }: DetailProps): VNode {
  const { id } = exchange;
  const [loaded, setLoaded] = useState<ExchangeDetail>();
  const [isRevealed, setRevealed] = useState(false);
  const [isEditing, setEditing] = useState(false);
  const back = useRef<HTMLButtonElement>(null);
  const replay = useRef<HTMLButtonElement>(null);
  const edit = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    setRevealed(false);
    setEditing(false);
    // On a phone's width the list is gone, and what had the focus with it.
    if (back.current?.offsetParent) back.current.focus();
  }, [id]);
  useEffect(() => {
    let isWanted = true;
    connection.json<ExchangeDetail>(`exchanges/${id}${isRevealed ? '?reveal=1' : ''}`).then(
      (answer) => isWanted && setLoaded(answer),
      () => {},
    );
    return () => {
      isWanted = false;
    };
  }, [exchange, isRevealed]);
  const detail = loaded?.summary.id === id ? loaded : undefined;
  const attempt = async (action: () => Promise<string>): Promise<void> => {
    tell(await action().catch((error: unknown) => `that failed: ${error instanceof Error ? error.message : ''}`));
  };
  const send = (request: EditedRequest | Record<string, never>): Promise<void> =>
    attempt(async () => {
      const { id: newId } = await connection.post<ReplayAnswer>(`exchanges/${id}/replay`, request);
      setEditing(false);
      replay.current?.focus();
      if (newId !== null) onSelect(newId);
      return 'sent again, straight to the service';
    });
  const copy = (): Promise<void> =>
    attempt(async () => {
      await navigator.clipboard.writeText(
        await connection.text(`exchanges/${id}/curl${isRevealed ? '?reveal=1' : ''}`),
      );
      return 'copied as a call of curl';
    });
  const save = (): Promise<void> =>
    attempt(async () => {
      await saveArchive(connection, `exchanges/${id}/har`, `exchange-${id}.har`);
      return 'saved as a HAR file';
    });
  const cancel = (): void => {
    setEditing(false);
    edit.current?.focus();
  };
  const noReplay = detail?.noReplay ?? null;
  const hasMasked = [...(detail?.requestHeaders ?? []), ...(detail?.answerHeaders ?? [])].some(
    ({ isMasked }) => isMasked,
  );
  const state = STATES[exchange.state];
  return html`<article aria-label="exchange">
    <div class="bar">
      <button ref=${back} type="button" class="back" onClick=${onBack}>back</button>
      <button
        ref=${replay}
        type="button"
        class="main"
        disabled=${noReplay !== null}
        title=${noReplay ?? 'straight to the service'}
        onClick=${() => void send({})}
      >
        replay
      </button>
      <button
        ref=${edit}
        type="button"
        disabled=${noReplay !== null}
        title=${noReplay ?? ''}
        onClick=${() => setEditing(true)}
      >
        edit
      </button>
      <button type="button" onClick=${() => void copy()}>copy as curl</button>
      <button type="button" onClick=${() => void save()}>save as HAR</button>
      ${
        hasMasked || isRevealed
          ? html`<button type="button" aria-pressed=${isRevealed} onClick=${() => setRevealed(!isRevealed)}>
              show masked
            </button>`
          : null
      }
    </div>
    ${noReplay === null ? null : html`<p class="note">no replay: ${noReplay}</p>`}
    <h2 class="line">${exchange.method} ${exchange.path}</h2>
    <p class="faint">
      ${formatTime(exchange.startedAtMs)}, ${exchange.host} → ${exchange.target}, from ${exchange.address}
      ${exchange.replayOf === null ? '' : `, replay of ${exchange.replayOf}`}${state && `; ${state}`}
    </p>
    ${detail && isEditing ? html`<${Editor} key=${id} connection=${connection} detail=${detail} onSend=${send} onCancel=${cancel} />` : null}
    ${detail ? html`<${Parts} connection=${connection} exchange=${exchange} detail=${detail} />` : html`<p class="faint">…</p>`}
  </article>`;
}

function Parts({
  connection,
  exchange,
  detail,
}: Pick<DetailProps, 'connection' | 'exchange'> & { readonly detail: ExchangeDetail }): VNode {
  const { id } = exchange;
  return html`<div>
    <section aria-label="timing"><${Timing} exchange=${detail.summary} /></section>
    <section aria-label="request">
      <h2>Request <span class="faint">${formatBytes(exchange.receivedBytes)}</span></h2>
      <${Head} line=${detail.requestLine} headers=${detail.requestHeaders} title="headers of the request" />
      <${BodyView}
        connection=${connection}
        path=${`exchanges/${id}/request`}
        title="body of the request"
        body=${detail.requestBody}
      />
    </section>
    ${
      detail.statusLine === null
        ? html`<p class="note">no answer${exchange.state === 'open' ? ' yet' : ''}</p>`
        : html`<section aria-label="answer">
            <h2>Answer <span class="faint">${formatBytes(exchange.sentBytes)}</span></h2>
            <${Head} line=${detail.statusLine} headers=${detail.answerHeaders} title="headers of the answer" />
            ${
              detail.answerBody && exchange.kind === 'http'
                ? html`<${BodyView}
                    connection=${connection}
                    path=${`exchanges/${id}/answer`}
                    title="body of the answer"
                    body=${detail.answerBody}
                  />`
                : null
            }
          </section>`
    }
    ${exchange.messageCount > 0 ? html`<${Messages} messages=${detail.messages} count=${exchange.messageCount} />` : null}
  </div>`;
}

function Head({
  line,
  headers,
  title,
}: {
  readonly line: string;
  readonly headers: readonly Header[];
  readonly title: string;
}): VNode {
  return html`<details open>
    <summary><code>${line}</code></summary>
    <div class="scroll" tabindex="0" role="region" aria-label=${title}>
      <table class="headers">
        <tbody>
          ${headers.map(
            ({ name, value }) =>
              html`<tr>
                <th scope="row">${name}</th>
                <td>${value}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}
