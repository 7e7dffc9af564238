import type { VisitorHandlers } from '../endpoint.ts';

/** Whose each host name is. Names are in their one spelling, as `parseHostName` returns them. */
export class HostTable {
  readonly #byHost = new Map<string, VisitorHandlers>();

  open(host: string, handlers: VisitorHandlers): void {
    this.#byHost.set(host, handlers);
  }

  close(host: string): void {
    this.#byHost.delete(host);
  }

  find(host: string): VisitorHandlers | undefined {
    return this.#byHost.get(host);
  }
}
