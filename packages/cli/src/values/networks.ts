import { parseNetwork } from '@tunnel/shared/node';
import { type Given, unusable } from './given.ts';

const HINT =
  'give networks in CIDR notation or addresses, with commas between them, as in 203.0.113.0/24,2001:db8::/32';

/** Reads networks and addresses separated by commas. They stay text. */
export function parseNetworks({ text, source }: Given): readonly string[] {
  return text.split(',').map((part) => {
    const network = part.trim();
    if (parseNetwork(network) === undefined) throw unusable({ text: network, source }, 'not a valid network', HINT);
    return network;
  });
}
