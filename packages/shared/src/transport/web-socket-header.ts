const BINARY_AND_FINAL = 0x82;
const MASKED = 0x80;
const MASK_BYTES = 4;

/**
 * The header of a binary message in one frame (RFC 6455, section 5.2). What a client sends is `masked`, here always with
 * zeros: the payload stays as it is.
 */
export function webSocketHeader(payloadBytes: number, masked: boolean): Buffer {
  const lengthBytes = payloadBytes < 126 ? 0 : payloadBytes < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + lengthBytes + (masked ? MASK_BYTES : 0));
  header[0] = BINARY_AND_FINAL;
  header[1] = (masked ? MASKED : 0) | (lengthBytes === 0 ? payloadBytes : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes > 0) header.writeUIntBE(payloadBytes, 2 + Math.max(0, lengthBytes - 6), Math.min(6, lengthBytes));
  return header;
}
