// RFC 9112, section 4. Node's parser takes any three digits and any characters, and its writer throws at these.
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Whether a service's status line may be passed on. */
export function isStatusLine({ statusCode = 0, statusMessage = '' }: StatusLine): boolean {
  return statusCode >= 100 && statusCode <= 999 && REASON.test(statusMessage);
}

interface StatusLine {
  readonly statusCode?: number | undefined;
  readonly statusMessage?: string | undefined;
}

/** The head of an answer as it stands on the wire; to be written as latin1. */
export function answerHead(status = 502, reason = '', headers: readonly string[] = []): string {
  let head = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n`;
}
