/** The head of an answer as it stands on the wire; to be written as latin1. */
export function answerHead(status = 502, reason = '', headers: readonly string[] = []): string {
  let head = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n`;
}
