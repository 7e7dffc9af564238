import { ExchangeRecorder, type RecordedExchange, RequestObserver } from '@tunnel/client/internal';

/** What is recorded of a request and its answer, as they travel. */
export function recordedExchange(request: string | Buffer, answer: string | Buffer = ''): RecordedExchange {
  const recorder = new ExchangeRecorder(0);
  const origin = { target: { host: 'localhost', port: 3000 }, address: '192.0.2.1:5000' };
  const observer = new RequestObserver({ onExchange: () => {}, recording: { recorder, origin } });
  observer.received(Buffer.from(request as Buffer));
  observer.sent(Buffer.from(answer as Buffer));
  const [exchange] = recorder.exchanges;
  if (!exchange) throw new Error('nothing was recorded');
  return exchange;
}
