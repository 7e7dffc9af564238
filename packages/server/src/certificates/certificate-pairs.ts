import type { TunnelError } from '@tunnel/shared';
import { type Certificate, type CertificateFiles, CertificateWatch, readCertificate } from './certificate-files.ts';
import type { CertificateStore } from './certificate-store.ts';

export interface CertificatePairsHandlers {
  readonly onReplaced: (event: { readonly certFile: string; readonly validUntil: string }) => void;
  /** The previous certificate stays in use. */
  readonly onFailure: (error: TunnelError) => void;
}

interface Pair {
  readonly files: CertificateFiles;
  readonly filesState: string;
}

/** The certificates of a server that stand in files. Puts them into the store, and again whenever the files change. */
export class CertificatePairs implements Disposable {
  readonly #store: CertificateStore;
  readonly #pairs: readonly Pair[];
  #watches: readonly CertificateWatch[] = [];

  private constructor(store: CertificateStore, pairs: readonly Pair[]) {
    this.#store = store;
    this.#pairs = pairs;
  }

  /** Rejects with `tls-unusable`. */
  static async read(files: readonly CertificateFiles[], store: CertificateStore): Promise<CertificatePairs> {
    const pairs: Pair[] = [];
    for (const each of files) {
      const certificate = await readCertificate(each);
      store.put(sourceOf(each), certificate, true);
      pairs.push({ files: each, filesState: certificate.filesState });
    }
    return new CertificatePairs(store, pairs);
  }

  /** To be called once. */
  watch({ onReplaced, onFailure }: CertificatePairsHandlers): void {
    this.#watches = this.#pairs.map(({ files, filesState }) => {
      const onChange = (certificate: Certificate): void => {
        this.#store.put(sourceOf(files), certificate, true);
        onReplaced({ certFile: files.certFile, validUntil: certificate.validUntil });
      };
      return new CertificateWatch(files, filesState, { onChange, onFailure });
    });
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch[Symbol.dispose]();
  }
}

function sourceOf({ certFile, keyFile }: CertificateFiles): string {
  return `${certFile}\n${keyFile}`;
}
