import { describe, expect, test } from 'vitest';
import { unknownCommand, unknownFlag } from './unknown-words.ts';

const FLAGS = new Map([
  ['server', ['port', 'secret', 'log-level', 'output', 'tls-cert']],
  ['local', ['to', 'port', 'secret', 'log-level', 'output', 'local-host', 'config']],
  ['http', ['to', 'host', 'basic-auth', 'secret']],
  ['run', ['basic-auth', 'to', 'secret', 'log-level', 'output', 'config']],
  ['status', ['watch', 'json']],
]);

describe('an unknown flag', () => {
  test.each([
    ['local', 'prot', 'did you mean --port?'],
    ['local', 'server', 'did you mean --to?'],
    ['local', 'token', 'did you mean --secret?'],
    ['local', 'p', 'did you mean --port?'],
    ['local', 'udp', 'tunnels carry TCP only, not UDP'],
    ['local', 'verbose', '`--log-level debug` shows more detail'],
    ['local', 'tls-cert', '--tls-cert is a flag of `tunnel server`'],
    ['server', 'local-host', '--local-host is a flag of `tunnel local`'],
    ['server', 'server', '`tunnel server --help` shows all flags'],
    ['run', 'port', 'in the configuration file each tunnel has its `port`'],
    ['run', 'host', 'in the configuration file each tunnel has its `host`'],
    ['http', 'port', 'a web address has a name in place of a port: --host'],
    ['http', 'subdomain', 'did you mean --host?'],
    ['local', 'basic-auth', '--basic-auth is a flag of `tunnel http`'],
    ['status', 'token', '`tunnel status --help` shows all flags'],
    ['local', 'x', '`tunnel local --help` shows all flags'],
    ['local', 'constructor', '`tunnel local --help` shows all flags'],
    [undefined, 'port', 'the command comes first: `tunnel local --port …`'],
    [undefined, 'server', 'the command comes first: `tunnel local --to …`'],
    [undefined, 'watch', 'the command comes first: `tunnel status --watch …`'],
    [undefined, 'x', 'see `tunnel --help`'],
  ])('of `tunnel %s`: %s', (command, name, hint) => {
    const { code, detail, advice: told } = unknownFlag(name, command, FLAGS);
    const word = name.length === 1 ? `-${name}` : `--${name}`;
    expect({ code, detail, told }).toEqual({ code: 'usage', detail: `unknown flag: ${word}`, told: hint });
  });
});

describe('an unknown command', () => {
  const commands = [...FLAGS.keys()];

  test.each([
    ['serve', [], 'did you mean `tunnel server`?'],
    ['tcp', ['22'], 'did you mean `tunnel local 22`?'],
    ['tcp', ['it', 'localhost:22'], 'did you mean `tunnel local localhost:22`?'],
    ['expose', [], 'did you mean `tunnel local 3000`?'],
    // The rest of the line may contain a secret.
    ['client', ['sesame'], 'did you mean `tunnel local 3000`?'],
    ['3000', [], 'did you mean `tunnel local 3000`?'],
    ['http://localhost:3000', [], 'did you mean `tunnel local http://localhost:3000`?'],
    ['start', [], 'did you mean `tunnel run`?'],
    ['ps', [], 'did you mean `tunnel status`?'],
    ['udp', ['53'], 'tunnels carry TCP only, not UDP'],
    ['toString', [], 'the commands are server, local, http, run, status; `tunnel --help` shows them'],
  ])('%s %j', (word, rest, hint) => {
    const { detail, advice: told } = unknownCommand(word, rest, commands);
    expect({ detail, told }).toEqual({ detail: `unknown command: ${word}`, told: hint });
  });

  test('login leads to secret, key and status', () => {
    expect(unknownCommand('login', [], commands).advice).toMatch(/--secret-file.*`tunnel keygen`.*`tunnel status`/);
  });
});
