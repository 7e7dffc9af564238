import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import { runProgram, startOnFreePort } from './program.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** Where Debian's sshd, started by root, wants an empty directory; its service makes it, which nobody may have started. */
const privilegeSeparationFolder = '/run/sshd';

/** OpenSSH's server on loopback, with keys and a configuration of its own, for whoever runs the tests. */
export interface SshServer extends AsyncDisposable {
  readonly port: number;
  /** Options for `ssh` and `scp`: the client's key, and this server's key as the only one that it believes. */
  readonly clientOptions: readonly string[];
  /** `user@host` to name to them. */
  readonly destination: string;
}

export async function startSshServer(): Promise<SshServer> {
  const directory = await temporaryDirectory();
  try {
    const file = (name: string): string => join(directory.path, name);
    for (const key of ['host_key', 'user_key']) {
      await runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', key, '-f', file(key)]);
    }
    await writeFile(file('authorized_keys'), await readFile(file('user_key.pub')));
    // An alias instead of the address: the same key is expected from whatever port it is reached through.
    await writeFile(file('known_hosts'), `behind-the-tunnel ${await readFile(file('host_key.pub'), 'utf8')}`);
    await writeFile(file('sshd_config'), configuration(file));
    if (process.getuid?.() === 0) await mkdir(privilegeSeparationFolder, { recursive: true, mode: 0o755 });
    const { program, port } = await startOnFreePort(
      'sshd',
      (port) => ['-D', '-e', '-f', file('sshd_config'), '-o', `Port=${port}`],
      (port) => new RegExp(`Server listening on 127\\.0\\.0\\.1 port ${port}\\.`),
    );
    return {
      port,
      clientOptions: clientOptions(file),
      destination: `${userInfo().username}@127.0.0.1`,
      [Symbol.asyncDispose]: async () => {
        await program[Symbol.asyncDispose]();
        await directory[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}

function configuration(file: (name: string) => string): string {
  return [
    'ListenAddress 127.0.0.1',
    `HostKey ${file('host_key')}`,
    `AuthorizedKeysFile ${file('authorized_keys')}`,
    'PidFile none',
    'AuthenticationMethods publickey',
    'PermitRootLogin yes',
    'UsePAM no',
    // It refuses keys below a folder that everybody may write to, as /tmp is.
    'StrictModes no',
    'PrintMotd no',
    'PrintLastLog no',
    'Subsystem sftp internal-sftp',
    '',
  ].join('\n');
}

function clientOptions(file: (name: string) => string): readonly string[] {
  const options = [
    'BatchMode=yes',
    'HostKeyAlias=behind-the-tunnel',
    `IdentityFile=${file('user_key')}`,
    'IdentitiesOnly=yes',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${file('known_hosts')}`,
    'GlobalKnownHostsFile=none',
    'LogLevel=ERROR',
  ];
  return ['-F', 'none', ...options.flatMap((option) => ['-o', option])];
}
