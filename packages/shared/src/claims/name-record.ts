/** A public name that a tunnel can have: the kind of its endpoint and a name of that kind, such as `port/8001`. */
export type PublicName = `${string}/${string}`;

/** Who has a public name, or had it last. */
export interface NameRecord {
  /** The client's public key, base64url. */
  readonly clientKey: string;
  /** What the client calls the tunnel: it gets the same name again under the same label. */
  readonly label: string;
  /** Who the name counts for once it is only remembered: the client's key, or its address where keys cost nothing to make. */
  readonly share: string;
  /** Which session holds the name. Undefined: none does, and the name is remembered for the client. */
  readonly holder: string | undefined;
  /** When it was last in use: wall-clock ms. */
  readonly usedAt: number;
  /** Random for each write. It tells one's own write, whose acknowledgement was lost, from somebody else's. */
  readonly nonce: string;
}

export function formatRecord(record: NameRecord): string {
  return JSON.stringify(record);
}

/** Undefined if it is not a record: another version of the program, or another program, wrote it. */
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
