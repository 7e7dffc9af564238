import { monotonicNow, type StreamObserver } from '@tunnel/shared/node';
import { type Exchange, ExchangeTap } from './exchange-tap.ts';
import { HostRefusalLook } from './host-refusal.ts';

export interface RequestObserverHandlers {
  readonly onExchange: (exchange: Exchange) => void;
  /** A dev server refused a request because of its Host; undefined if nobody wants to know. */
  readonly onHostRefused?: ((server: string) => void) | undefined;
}

/** Looks on at a visitor's stream to an HTTP service. */
export class RequestObserver implements StreamObserver {
  readonly #tap: ExchangeTap;

  constructor({ onExchange, onHostRefused }: RequestObserverHandlers) {
    const look = new HostRefusalLook();
    this.#tap = new ExchangeTap({
      onExchange: (exchange) => {
        onExchange(exchange);
        const server = onHostRefused && look.serverOf(exchange);
        if (server !== undefined) onHostRefused?.(server);
      },
      ...(onHostRefused && { wantsBody: (answer) => look.begin(answer), onBody: (data) => look.add(data) }),
    });
  }

  received(data: Uint8Array): void {
    this.#tap.received(data, monotonicNow());
  }

  sent(data: Uint8Array): void {
    this.#tap.sent(data, monotonicNow());
  }

  sentEnded(): void {
    this.#tap.sentEnded(monotonicNow());
  }

  closed(): void {
    this.#tap.closed(monotonicNow());
  }
}
