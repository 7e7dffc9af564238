import { monotonicNow, type StreamObserver } from '@tunnel/shared/node';
import type { ExchangeRecorder } from './exchange-recorder.ts';
import { type Exchange, ExchangeTap } from './exchange-tap.ts';
import { HostRefusalLook } from './host-refusal.ts';
import type { RecordedOrigin } from './recorded-exchange.ts';

export interface RequestObserverHandlers {
  readonly onExchange: (exchange: Exchange) => void;
  /** A dev server refused a request because of its Host; undefined if nobody wants to know. */
  readonly onHostRefused?: ((server: string) => void) | undefined;
  /** Where exchanges are recorded, and whose they are. */
  readonly recording?: { readonly recorder: ExchangeRecorder; readonly origin: RecordedOrigin } | undefined;
}

/** Looks on at a visitor's stream to an HTTP service. */
export class RequestObserver implements StreamObserver {
  readonly #tap: ExchangeTap;

  constructor({ onExchange, onHostRefused, recording }: RequestObserverHandlers) {
    const look = new HostRefusalLook();
    this.#tap = new ExchangeTap({
      onExchange: (exchange) => {
        onExchange(exchange);
        const server = onHostRefused && look.serverOf(exchange);
        if (server !== undefined) onHostRefused?.(server);
      },
      ...(recording && {
        onRequest: (head, text, now) => recording.recorder.begin(recording.origin, head, text, now),
      }),
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
