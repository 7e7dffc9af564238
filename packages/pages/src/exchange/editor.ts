import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { EditedRequest, ExchangeDetail, Header } from '../api/inspector.ts';
import { isText, textOf, toBase64 } from './body-content.ts';
import type { Connection } from '../parts/connection.ts';
import { html } from '../parts/html.ts';

export interface EditorProps {
  readonly connection: Connection;
  readonly detail: ExchangeDetail;
  readonly onSend: (request: EditedRequest) => void;
  readonly onCancel: () => void;
}

/** A request to change before it is sent. Values that are masked are sent as they were, unless they are changed. */
export function Editor({ connection, detail, onSend, onCancel }: EditorProps): VNode {
  const { summary, requestHeaders, requestBody } = detail;
  const [method, setMethod] = useState(summary.method);
  const [path, setPath] = useState(summary.path);
  const [headers, setHeaders] = useState(requestHeaders.map(({ name, value }) => `${name}: ${value}`).join('\n'));
  /** Undefined: it is no text, or not here yet. */
  const [body, setBody] = useState<string | undefined>(requestBody.keptBytes === 0 ? '' : undefined);
  const [isBodyChanged, setBodyChanged] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  useEffect(() => {
    if (requestBody.keptBytes === 0) return;
    connection.bytes(`exchanges/${summary.id}/request?form=raw`).then(
      (data) => {
        if (isText(data)) setBody(textOf(data));
      },
      () => {},
    );
  }, [summary.id]);
  const send = (event: Event): void => {
    event.preventDefault();
    const changed = isBodyChanged && body !== undefined ? { body: toBase64(new TextEncoder().encode(body)) } : {};
    onSend({ method, path, headers: headersIn(headers), ...changed });
  };
  const cancelOnEscape = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    onCancel();
  };
  return html`<form class="editor" aria-label="edit and send again" onSubmit=${send} onKeyDown=${cancelOnEscape}>
    <h2>Edit and send again</h2>
    <label
      >method <input ref=${first} value=${method} onInput=${(event: InputEvent) => setMethod(valueOf(event))}
    /></label>
    <label>path <input value=${path} onInput=${(event: InputEvent) => setPath(valueOf(event))} /></label>
    <label>
      headers
      <textarea
        rows="10"
        spellcheck="false"
        value=${headers}
        onInput=${(event: InputEvent) => setHeaders(valueOf(event))}
      />
    </label>
    ${
      body === undefined
        ? html`<p class="note">the body is no text, and is sent as it was</p>`
        : html`<label>
            body
            <textarea
              rows="8"
              spellcheck="false"
              value=${body}
              onInput=${(event: InputEvent) => {
                setBody(valueOf(event));
                setBodyChanged(true);
              }}
            />
          </label>`
    }
    <div class="bar">
      <button type="submit" class="main">send</button>
      <button type="button" onClick=${onCancel}>cancel</button>
    </div>
  </form>`;
}

function headersIn(text: string): readonly Header[] {
  return text.split('\n').flatMap((line) => {
    const colon = line.indexOf(':');
    return colon < 1 ? [] : [{ name: line.slice(0, colon), value: line.slice(colon + 1).trim() }];
  });
}

function valueOf({ target }: InputEvent): string {
  return (target as HTMLInputElement | HTMLTextAreaElement).value;
}
