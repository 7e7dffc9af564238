import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ephemeralPorts } from './ephemeral-ports.ts';

test.each(['darwin', 'win32'] as const)('those of %s are the ones that IANA set apart', (platform) => {
  expect(ephemeralPorts(platform)).toEqual({ first: 49_152, last: 65_535 });
});

test.runIf(process.platform === 'linux')('those of Linux are what the kernel says', () => {
  const { first, last } = ephemeralPorts('linux');
  expect(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim()).toBe(`${first}\t${last}`);
});
