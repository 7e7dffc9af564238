import { headerLines, type RecordedExchange } from '@tunnel/client/internal';
import type { ExchangeDetail, ExchangeSummary } from '@tunnel/pages';
import { formatTarget } from '../values/target.ts';
import { shownBody, shownMessage, valueOf } from './bodies.ts';
import { masked } from './masking.ts';
import { problemOfReplay } from './replay-request.ts';

export function summaryOf(exchange: RecordedExchange): ExchangeSummary {
  const { id, startedAtMs, method, path, host, origin, kind, state, answerHead } = exchange;
  return {
    id,
    startedAtMs,
    method,
    path,
    host,
    target: formatTarget(origin.target),
    address: origin.address,
    kind,
    state,
    status: exchange.status ?? null,
    mediaType: answerHead === undefined ? '' : valueOf(headerLines(answerHead), 'content-type'),
    receivedBytes: exchange.receivedBytes,
    sentBytes: exchange.sentBytes,
    requestEndMs: exchange.requestEndMs ?? null,
    firstByteMs: exchange.firstByteMs ?? null,
    endMs: exchange.endMs ?? null,
    messageCount: exchange.messageCount,
    replayOf: origin.replayOf ?? null,
  };
}

export async function detailOf(exchange: RecordedExchange, isRevealed: boolean): Promise<ExchangeDetail> {
  const { requestHead, requestBody, answerHead, answerBody, messages } = exchange;
  const shownLines = (head: string): ExchangeDetail['requestHeaders'] =>
    isRevealed ? headerLines(head) : masked(headerLines(head));
  return {
    summary: summaryOf(exchange),
    requestLine: startLineOf(requestHead),
    requestHeaders: shownLines(requestHead),
    requestBody: shownBody(requestHead, requestBody),
    statusLine: answerHead === undefined ? null : startLineOf(answerHead),
    answerHeaders: answerHead === undefined ? [] : shownLines(answerHead),
    answerBody: answerHead === undefined || !answerBody ? null : shownBody(answerHead, answerBody),
    messages: await Promise.all(messages.map(shownMessage)),
    noReplay: problemOfReplay(exchange) ?? null,
  };
}

export function startLineOf(head: string): string {
  return head.split('\r\n', 1)[0] ?? '';
}
