import type { Client } from '@tunnel/client';
import { monotonicNow } from '@tunnel/shared/node';
import type { ClientPlan } from '../settings/client-plan.ts';
import type { Environment } from '../settings/flags.ts';
import type { Output } from '../output/output.ts';
import type { WatchdogSubject } from '../settings/local-settings.ts';
import { ClientWatch, stateOfClients } from './client-state.ts';
import { Service } from './service.ts';

/** Keeps systemd informed about the clients of this process. */
export class ClientService implements AsyncDisposable {
  readonly #subject: WatchdogSubject;
  readonly #service: Service | undefined;
  readonly #watches = new Map<Client, ClientWatch>();

  /** Does nothing without a service manager. */
  constructor(environment: Environment, output: Output, subject: WatchdogSubject) {
    this.#subject = subject;
    this.#service = Service.open(environment, output, () => {
      const now = monotonicNow();
      return stateOfClients([...this.#watches].map(([client, watch]) => watch.state(client.status(), now)));
    });
  }

  /** Watches a client until it has stopped. */
  watch(client: Client, { options: { connectTimeoutMs } }: ClientPlan): void {
    const watch = new ClientWatch(this.#subject, connectTimeoutMs, monotonicNow());
    this.#watches.set(client, watch);
    const changed = (): void => this.#service?.changed();
    client.on('ready', changed);
    client.on('disconnected', changed);
    client.on('retrying', () => {
      watch.attempted(monotonicNow());
      changed();
    });
    client.on('stopped', () => {
      // A client that failed for good is not waited for, nor would a restart help it, and the others go on.
      this.#watches.delete(client);
      changed();
    });
  }

  /** Runs the code that applies a changed configuration. */
  async reloading(work: () => Promise<void>): Promise<void> {
    await (this.#service === undefined ? work() : this.#service.reloading(work));
  }

  /** The clients were asked to stop. */
  stopping(): void {
    this.#service?.stopping(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service?.[Symbol.asyncDispose]();
  }
}
