/**
 * What a visitor asks of the service: one byte, and for the first two how many bytes are to follow, as 8 bytes; 0 is
 * "until one of us goes away".
 */
export const COMMANDS = {
  /** The visitor sends so many bytes; the service answers one byte behind the last. */
  up: 'u',
  /** The service sends so many bytes. */
  down: 'd',
  /** All that comes goes back. */
  echo: 'e',
  /** One byte comes back. */
  one: '1',
} as const;

/** Of bulk: `up` is from the visitor to the service. */
export type Direction = 'up' | 'down';

export const DIRECTIONS: readonly Direction[] = ['up', 'down'];

export const COMMAND_BYTES = 9;

/** Every command has the same length, so that the service knows when it is whole. */
export function encodeCommand(command: keyof typeof COMMANDS, bytes = 0): Buffer {
  const message = Buffer.alloc(COMMAND_BYTES);
  message.write(COMMANDS[command], 'latin1');
  message.writeBigUInt64BE(BigInt(bytes), 1);
  return message;
}

/** A piece of a bulk transfer as it is written. */
export const BULK_CHUNK: Buffer = Buffer.alloc(512 * 1024, 'tunnel ');

/** A reader with one buffer for all its sockets: what comes has to be used at once. */
export const READ_BUFFER: Buffer = Buffer.alloc(1024 * 1024);
