import type { VNode } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { ShownBody } from '../api/inspector.ts';
import { formFields, hexDump, imageTypeOf, isText, prettyJson, textOf } from './body-content.ts';
import type { Connection } from '../parts/connection.ts';
import { formatBytes } from '../parts/formats.ts';
import { html } from '../parts/html.ts';

type View = 'pretty' | 'raw' | 'hex';
const VIEWS: readonly View[] = ['pretty', 'raw', 'hex'];

interface Loaded {
  readonly raw: Uint8Array<ArrayBuffer>;
  /** Undefined: it cannot be decompressed. */
  readonly decoded: Uint8Array<ArrayBuffer> | undefined;
}

export interface BodyViewProps {
  readonly connection: Connection;
  /** Where it is fetched. */
  readonly path: string;
  readonly title: string;
  readonly body: ShownBody;
}

/** A body: pretty if it is JSON, a form, an image or text; as it travelled; or byte by byte. */
export function BodyView({ connection, path, title, body }: BodyViewProps): VNode {
  const [view, setView] = useState<View>('pretty');
  const [loaded, setLoaded] = useState<Loaded>();
  const { keptBytes, coding, isWhole, mediaType } = body;
  useEffect(() => {
    let isWanted = true;
    const load = async (): Promise<void> => {
      const raw = await connection.bytes(`${path}?form=raw`);
      const decoded = coding === '' ? raw : await connection.bytes(`${path}?form=decoded`).catch(() => undefined);
      if (isWanted) setLoaded({ raw, decoded });
    };
    if (keptBytes > 0) load().catch(() => {});
    else setLoaded(undefined);
    return () => {
      isWanted = false;
    };
  }, [path, keptBytes, coding]);
  if (keptBytes === 0) return html`<p class="faint">no body</p>`;
  const about = [mediaType || 'of no type', formatBytes(keptBytes), coding && `compressed with ${coding}`];
  return html`<div class="body">
    <div class="bar">
      <div role="group" aria-label=${`view of the ${title}`}>
        ${VIEWS.map(
          (each) =>
            html`<button key=${each} type="button" aria-pressed=${each === view} onClick=${() => setView(each)}>
              ${each}
            </button>`,
        )}
      </div>
      <span class="faint">${about.filter(Boolean).join(', ')}</span>
    </div>
    ${isWhole ? null : html`<p class="note">longer than what is recorded: this is its beginning</p>`}
    ${loaded && html`<${Content} ...${loaded} view=${view} mediaType=${mediaType} title=${title} />`}
  </div>`;
}

function Content({
  raw,
  decoded,
  view,
  mediaType,
  title,
}: Loaded & { readonly view: View; readonly mediaType: string; readonly title: string }): VNode {
  const pre = (text: string): VNode => html`<pre tabindex="0" aria-label=${title}>${text}</pre>`;
  if (view === 'hex') return pre(hexDump(decoded ?? raw));
  if (view === 'raw') return pre(textOf(raw));
  if (!decoded) return html`<p class="note">it cannot be decompressed; its bytes are under “hex”</p>`;
  const imageType = imageTypeOf(mediaType);
  if (imageType !== undefined) return html`<${Image} data=${decoded} type=${imageType} title=${title} />`;
  const fields = formFields(decoded, mediaType);
  if (fields) {
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${title}>
      <table>
        <thead>
          <tr>
            <th scope="col">field</th>
            <th scope="col">value</th>
          </tr>
        </thead>
        <tbody>
          ${fields.map(
            ({ name, value }) =>
              html`<tr>
                <th scope="row">${name}</th>
                <td>${value}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }
  if (!isText(decoded)) return pre(hexDump(decoded));
  const text = textOf(decoded);
  return pre(prettyJson(text) ?? text);
}

/** As an image even SVG runs no scripts and loads nothing. */
function Image({
  data,
  type,
  title,
}: {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly title: string;
}): VNode {
  const url = useMemo(() => URL.createObjectURL(new Blob([data], { type })), [data, type]);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  return html`<img class="picture" src=${url} alt=${`image in the ${title}`} />`;
}
