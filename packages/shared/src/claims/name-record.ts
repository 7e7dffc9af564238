/** A public name that a tunnel can have: the kind of its endpoint and a name of that kind, such as `port/8001`. */
export type PublicName = `${string}/${string}`;

/** Who holds a public name, or held it last. */
export interface NameRecord {
  /** The client's public key, base64url. */
  readonly clientKey: string;
  /** The client's name for the tunnel: the same label gets the same public name again. */
  readonly label: string;
  /**
   * Whose share the name counts towards once it is only remembered: the client's key, or its address if keys cost
   * nothing to make.
   */
  readonly share: string;
  /** The session that holds the name. Undefined if none does and the name is only remembered for the client. */
  readonly holder: string | undefined;
  /** When it was last used: wall-clock ms. */
  readonly usedAt: number;
  /** Random for each write. Distinguishes our own write, if its acknowledgement was lost, from someone else's. */
  readonly nonce: string;
}

export function formatRecord(record: NameRecord): string {
  return JSON.stringify(record);
}

/** Undefined if it is not a record of this version; another version or another program wrote it. */
export function parseRecord(value: string): NameRecord | undefined {
  let fields: Partial<Record<keyof NameRecord, unknown>> | null;
  try {
    fields = JSON.parse(value) as typeof fields;
  } catch {
    return undefined;
  }
  const { clientKey, label, share, holder, usedAt, nonce } = fields ?? {};
  const isRecord =
    typeof clientKey === 'string' &&
    typeof label === 'string' &&
    typeof share === 'string' &&
    (holder === undefined || typeof holder === 'string') &&
    typeof usedAt === 'number' &&
    typeof nonce === 'string';
  return isRecord ? { clientKey, label, share, holder, usedAt, nonce } : undefined;
}
