import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError } from '@tunnel/shared/node';

/** How often the files are checked, in ms. */
const LOOK_MS = 1_000;

/** The files with a server's certificate chain and its key, both in PEM. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate that matches its key. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** ISO 8601. */
  readonly validUntil: string;
  /** The state of the files when they were read: a different one means that they changed. */
  readonly filesState: string;
}

/** Reads and checks both files. Throws `tls-unusable`, naming the file. */
export async function readCertificate(files: CertificateFiles): Promise<Certificate> {
  const { certFile, keyFile } = files;
  // Taken before reading, so that a change in between counts as one.
  const filesState = await stateOf(files);
  const [cert, key] = await Promise.all([readPem(certFile), readPem(keyFile)]);
  const leaf = attempt(certFile, 'it contains no certificate in PEM', () => new X509Certificate(cert));
  const privateKey = attempt(keyFile, 'it contains no unencrypted private key in PEM', () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey))
    throw unusable(keyFile, `it does not belong to the certificate in ${certFile}`);
  // This parses the rest of the chain, and is what will be used.
  attempt(certFile, 'its chain cannot be read', () => createSecureContext({ cert, key }));
  return { cert, key, validUntil: new Date(leaf.validTo).toISOString(), filesState };
}

export interface CertificateWatchHandlers {
  onChange(certificate: Certificate): void;
  /** Called once for each change of the files. */
  onFailure(error: TunnelError): void;
}

/**
 * Reports changes of the files. Checks them once a second, since a replacement may be a rename, a symbolic link or a
 * mount, and reads them when two checks agree, since the two are not replaced at once.
 */
export class CertificateWatch implements Disposable {
  readonly #files: CertificateFiles;
  readonly #handlers: CertificateWatchHandlers;
  readonly #timer: NodeJS.Timeout;
  #isLooking = false;
  #isEnded = false;
  /** The state when they were read. */
  #read: string;
  /** The state at the last check. */
  #seen: string;

  /** `filesState` is that of the certificate in use. */
  constructor(files: CertificateFiles, filesState: string, handlers: CertificateWatchHandlers) {
    this.#files = files;
    this.#handlers = handlers;
    this.#read = filesState;
    this.#seen = filesState;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  [Symbol.dispose](): void {
    this.#isEnded = true;
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    // The file system may be slow.
    if (this.#isLooking) return;
    this.#isLooking = true;
    const state = await stateOf(this.#files);
    const isSettled = state === this.#seen;
    this.#seen = state;
    if (isSettled && state !== this.#read) {
      this.#read = state;
      await this.#reread();
    }
    this.#isLooking = false;
  }

  async #reread(): Promise<void> {
    try {
      const certificate = await readCertificate(this.#files);
      if (!this.#isEnded) this.#handlers.onChange(certificate);
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error;
      if (!this.#isEnded) this.#handlers.onFailure(error);
    }
  }
}

/** A string that changes whenever one of the files does. */
async function stateOf({ certFile, keyFile }: CertificateFiles): Promise<string> {
  return (await Promise.all([stateOfFile(certFile), stateOfFile(keyFile)])).join();
}

async function stateOfFile(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(file);
    return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
  } catch (error) {
    return describeSystemError(error);
  }
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unusable(file, describeSystemError(error), error);
  }
}

function attempt<Result>(file: string, reason: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    throw unusable(file, reason, error);
  }
}

function unusable(file: string, reason: string, cause?: unknown): TunnelError {
  return new TunnelError('tls-unusable', { detail: `${file}: ${reason}`, cause });
}
