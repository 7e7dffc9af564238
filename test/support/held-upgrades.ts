import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A valid message 1 (docs/protocol.md, section 13): whoever sends it again makes the server do its part of a handshake. */
const MESSAGE_1 = 'D6poTtKIZ7l_Smot7l34zpdOdrcBjj8iocTPJnhXDyB7C6klVO4A0bnyqdwCq72gM9MZm4JV8g';

export interface HeldUpgradesOptions {
  /** Control port on 127.0.0.1. */
  readonly port: number;
  /** Where the connections come from. */
  readonly fromAddress: string;
  /** Connections that it keeps open. */
  readonly count: number;
  /** How fast it replaces those that the server ended. */
  readonly refillsPerSecond: number;
  /** What each connection sends; default an upgrade request with message 1. */
  readonly request?: string;
}

/** Holds connections that begin a handshake and never go on, from a process of its own: each takes a descriptor. */
export class HeldUpgrades implements AsyncDisposable {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Resolves once all connections were made. */
  static async start(options: HeldUpgradesOptions): Promise<HeldUpgrades> {
    const request =
      options.request ??
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\ntunnel-handshake: ${MESSAGE_1}\r\n\r\n`;
    const process = spawn(globalThis.process.execPath, ['-e', PROGRAM, JSON.stringify({ ...options, request })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(process.stdout, 'data');
    return new HeldUpgrades(process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exit;
  }
}

const PROGRAM = `
  const { connect } = require('node:net');
  const { port, fromAddress, count, refillsPerSecond, request } = JSON.parse(process.argv[1]);
  let open = 0;
  let made = 0;
  const one = () => {
    open += 1;
    const socket = connect({ port, host: '127.0.0.1', localAddress: fromAddress }, () => {
      made += 1;
      socket.write(request);
      if (made === count) process.stdout.write('held');
      if (made < count) one();
    });
    socket.resume().on('error', () => {}).on('close', () => (open -= 1));
  };
  for (let lane = 0; lane < Math.min(64, count); lane += 1) one();
  setInterval(() => {
    for (let more = refillsPerSecond / 20; more > 0 && made >= count && open < count; more -= 1) one();
  }, 50);
`;
