const TOKEN_KEY = 'token';

/** The server said why not, for people. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text.trim());
    this.status = status;
  }
}

/** Takes the token out of the link, so that it is in no history, and keeps it for this tab. */
export function takeToken(): string {
  const inLink = location.hash.slice(1);
  if (inLink !== '') {
    sessionStorage.setItem(TOKEN_KEY, inLink);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem(TOKEN_KEY) ?? '';
}

/** Speaks with the program that serves the page. Everything rejects with `Refused`, or with what `fetch` says. */
export class Connection {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  async json<T>(path: string): Promise<T> {
    return (await (await this.#fetch(path)).json()) as T;
  }

  async text(path: string): Promise<string> {
    const response = await this.#fetch(path);
    return response.text();
  }

  async bytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await (await this.#fetch(path)).arrayBuffer());
  }

  async post<T>(path: string, value: unknown): Promise<T> {
    const headers = { 'Content-Type': 'application/json' };
    const response = await this.#fetch(path, { method: 'POST', headers, body: JSON.stringify(value) });
    return (await response.json()) as T;
  }

  async delete(path: string): Promise<void> {
    await this.#fetch(path, { method: 'DELETE' });
  }

  /** Resolves when the stream ends. `onOpen` is called before the first event. */
  async events(onOpen: () => void, onEvent: (event: unknown) => void): Promise<void> {
    const { body } = await this.#fetch('events');
    if (!body) return;
    onOpen();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const blocks = (text + part.value).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        if (block.startsWith('data: ')) onEvent(JSON.parse(block.slice(6)));
      }
    }
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('Authorization', `Bearer ${this.#token}`);
    const response = await fetch(`/api/${path}`, { ...init, headers });
    if (!response.ok) throw new Refused(response.status, await response.text());
    return response;
  }
}
