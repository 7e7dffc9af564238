import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RecordedExchange } from '@tunnel/client/internal';
import { decodedBody } from './bodies.ts';

/** Those that contain a text in a head, a body or a message, in whatever case. What passes in the tunnels goes before it. */
export async function containing(
  exchanges: readonly RecordedExchange[],
  text: string,
): Promise<readonly RecordedExchange[]> {
  const wanted = text.toLowerCase();
  const found: RecordedExchange[] = [];
  for (const exchange of exchanges) {
    await nextTurn();
    if (await contains(exchange, wanted)) found.push(exchange);
  }
  return found;
}

async function contains(exchange: RecordedExchange, wanted: string): Promise<boolean> {
  const { requestHead, requestBody, answerHead = '', answerBody, messages } = exchange;
  if (`${requestHead}\n${answerHead}`.toLowerCase().includes(wanted)) return true;
  for (const [head, body] of [[requestHead, requestBody] as const, [answerHead, answerBody] as const]) {
    const data = body && (await decodedBody(head, body));
    if (data && lowerText(data).includes(wanted)) return true;
  }
  return messages.some(({ payload }) => lowerText(payload).includes(wanted));
}

function lowerText(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString().toLowerCase();
}
