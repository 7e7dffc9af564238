import { join } from 'node:path';
import { Program } from './program.ts';
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts';

/** Receives datagrams and prints each as one line of JSON. Node itself has no datagram sockets of this kind. */
const RECEIVER = `
import json, socket, sys
name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\\0" + name[1:] if name.startswith("@") else name)
print(json.dumps("bound"), flush=True)
while True:
    print(json.dumps(receiver.recv(65536).decode()), flush=True)
`;

/** What one message assigns, as in `{ READY: '1' }`. */
type Message = Readonly<Record<string, string>>;

/** A stand-in for systemd: takes what services tell at the socket of NOTIFY_SOCKET. */
export class ServiceManager implements AsyncDisposable {
  /** For NOTIFY_SOCKET. */
  readonly socket: string;
  readonly #receiver: Program;
  readonly #directory: TemporaryDirectory;

  private constructor(socket: string, receiver: Program, directory: TemporaryDirectory) {
    this.socket = socket;
    this.#receiver = receiver;
    this.#directory = directory;
  }

  /** With a socket in the file system, or an abstract one, which has no file. */
  static async start(kind: 'file' | 'abstract' = 'file'): Promise<ServiceManager> {
    const directory = await temporaryDirectory();
    const path = join(directory.path, 'notify.sock');
    const socket = kind === 'file' ? path : `@${path}`;
    const receiver = new Program('python3', ['-c', RECEIVER, socket]);
    await receiver.waitForOutput(/^"bound"$/m);
    return new ServiceManager(socket, receiver, directory);
  }

  /** All messages so far, but for those with which the sender waits until the others were read. */
  get messages(): readonly Message[] {
    return this.#receiver.stdout
      .toString()
      .split('\n')
      .slice(1, -1)
      .map((line) => parseMessage(JSON.parse(line) as string))
      .filter(({ BARRIER }) => BARRIER === undefined);
  }

  /** Resolves once this stands in what came since the start, as JSON: lines of a message are apart by `\n` there. */
  waitFor(pattern: RegExp): Promise<void> {
    return this.#receiver.waitForOutput(pattern);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#receiver[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}

function parseMessage(text: string): Message {
  const pairs = text.split('\n').map((line): [string, string] => {
    const at = line.indexOf('=');
    return [line.slice(0, at), line.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}
