import type { TunnelError } from '@tunnel/shared';
import { AcmeCertificates } from './acme-certificates.ts';
import { AcmeChallenges } from './acme-challenges.ts';
import { openAcmeClient } from './acme-client-authority.ts';
import type { ChallengeKind } from './acme-authority.ts';
import { AcmeFiles, type KeptCertificates } from './acme-files.ts';
import { DEFAULT_WEEKLY_LIMIT } from './acme-issuer.ts';
import type { CertificateFiles } from './certificate-files.ts';
import { CertificatePairs } from './certificate-pairs.ts';
import { CertificateStore } from './certificate-store.ts';

const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';

/** How certificates are got from an authority. */
export interface AcmeSettings {
  readonly email: string;
  readonly directoryUrl?: string | undefined;
  readonly ca?: string | undefined;
  readonly weeklyLimit?: number | undefined;
  readonly directory: string;
  /** Names of the server itself that an authority could know. */
  readonly ownNames: readonly string[];
  /** Ways in which the server can show that a name leads here. */
  readonly kinds: readonly ChallengeKind[];
  readonly agent: string;
}

export interface ServerCertificatesOptions {
  readonly files: readonly CertificateFiles[];
  /** Undefined: only those in files. */
  readonly acme: AcmeSettings | undefined;
}

export interface ServerCertificatesHandlers {
  readonly onReplaced: (event: { readonly certFile: string; readonly validUntil: string }) => void;
  readonly onIssued: (host: string, validUntil: string, isRenewal: boolean) => void;
  readonly onWarning: (error: TunnelError) => void;
}

/** All certificates of a server: those in files, and those that it gets by itself. */
export class ServerCertificates implements Disposable {
  readonly store = new CertificateStore();
  readonly challenges = new AcmeChallenges();
  readonly #options: ServerCertificatesOptions;
  #pairs: CertificatePairs | undefined;
  #acmeFiles: AcmeFiles | undefined;
  #kept: KeptCertificates | undefined;
  #acme: AcmeCertificates | undefined;

  constructor(options: ServerCertificatesOptions) {
    this.#options = options;
  }

  /** Rejects with `tls-unusable`, or `state-unusable` for the directory. */
  async read(): Promise<void> {
    const { files, acme } = this.#options;
    this.#pairs = await CertificatePairs.read(files, this.store);
    if (!acme) return;
    this.#acmeFiles = new AcmeFiles(acme.directory, acme.directoryUrl ?? LETS_ENCRYPT);
    this.#kept = await this.#acmeFiles.read();
  }

  /** After `read`, and once the server listens: an authority looks here at once. */
  start({ onReplaced, onIssued, onWarning }: ServerCertificatesHandlers): void {
    const { acme } = this.#options;
    const onFailure = onWarning;
    this.#pairs?.watch({ onReplaced, onFailure });
    if (!acme || !this.#acmeFiles || !this.#kept) return;
    for (const damage of this.#kept.damage) onWarning(damage);
    const { weeklyLimit = DEFAULT_WEEKLY_LIMIT, directoryUrl = LETS_ENCRYPT, email, ca, agent, kinds, ownNames } = acme;
    this.#acme = new AcmeCertificates(
      {
        store: this.store,
        files: this.#acmeFiles,
        kinds,
        weeklyLimit,
        openAuthority: async (files) =>
          openAcmeClient({
            directoryUrl,
            email,
            ca,
            agent,
            accountKey: await files.accountKey(),
            answers: this.challenges,
          }),
        wallNow: () => Date.now(),
        random: () => Math.random(),
      },
      { onIssued, onWarning },
      ownNames,
      this.#kept,
    );
    this.#acme.start();
  }

  /** Whether TLS is of use to visitors of a host: with files, what they are for is up to whoever gave them. */
  serves(host: string): boolean {
    return !this.#options.acme || this.store.covers(host);
  }

  /** A tunnel has a host; `share`: whom it counts for. */
  granted(host: string, share: string): void {
    this.#acme?.want(host, share);
  }

  closed(host: string): void {
    this.#acme?.drop(host);
  }

  [Symbol.dispose](): void {
    this.#pairs?.[Symbol.dispose]();
    this.#acme?.[Symbol.dispose]();
  }
}
