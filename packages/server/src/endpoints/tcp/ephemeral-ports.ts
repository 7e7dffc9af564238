import { readFileSync } from 'node:fs';
import { hasProc } from '@tunnel/shared/node';
import type { PortRange } from '../../access/port-ranges.ts';

/** RFC 6335, section 6. Those of macOS and Windows, too. */
const DYNAMIC_PORTS: PortRange = { first: 49_152, last: 65_535 };

/**
 * Ports that this machine uses for connections of its own. A public port among them can be taken, by any outgoing connection,
 * in the moment in which the server is started anew.
 */
export function ephemeralPorts(platform: NodeJS.Platform = process.platform): PortRange {
  if (!hasProc(platform)) return DYNAMIC_PORTS;
  try {
    const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
      .trim()
      .split(/\s+/)
      .map(Number);
    if (first !== undefined && last !== undefined && first > 0 && last >= first) return { first, last };
  } catch {
    // Another system, which does not tell it like this.
  }
  return DYNAMIC_PORTS;
}
