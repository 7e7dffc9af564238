import { ByteReader, malformed } from './byte-reader.ts';

/** Something that an OPEN says of its visitor. Sessions hand attributes on without reading them. */
export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array;
}

/** Wire numbers of the attributes that endpoints of version 1 have. */
const ATTRIBUTE_TYPE = { visitor: 1, destination: 2 } as const;

export interface AddressAndPort {
  /** As text. */
  readonly address: string;
  readonly port: number;
}

/** Where a visitor comes from, and which of the server's addresses it connected to. */
export interface VisitorAddresses {
  readonly visitor?: AddressAndPort | undefined;
  readonly destination?: AddressAndPort | undefined;
}

export function encodeAddresses(addresses: VisitorAddresses): Attribute[] {
  return (['visitor', 'destination'] as const).flatMap((name) => {
    const known = addresses[name];
    if (!known) return [];
    const text = new TextEncoder().encode(known.address);
    const value = new Uint8Array(2 + text.length);
    value.set([known.port >>> 8, known.port & 0xff]);
    value.set(text, 2);
    return [{ type: ATTRIBUTE_TYPE[name], value }];
  });
}

/** Of several attributes of one type the first counts. Throws `protocol-error` for a value that is not port and text. */
export function decodeAddresses(attributes: readonly Attribute[]): VisitorAddresses {
  return {
    visitor: decodeAddress(attributes, ATTRIBUTE_TYPE.visitor),
    destination: decodeAddress(attributes, ATTRIBUTE_TYPE.destination),
  };
}

function decodeAddress(attributes: readonly Attribute[], type: number): AddressAndPort | undefined {
  const value = attributes.find((attribute) => attribute.type === type)?.value;
  if (!value) return undefined;
  if (value.length < 2) throw malformed('an address without a port');
  const reader = new ByteReader(value);
  const port = reader.u16();
  return { address: reader.text(reader.remaining), port };
}
