/** Characters of a session id that a person can compare, and that tell the sessions of a log apart. */
const SHORT_LENGTH = 8;

/** A session's name in logs: the same on both sides, so that one search finds all lines about it. */
export function shortSessionId(sessionId: string): string {
  return sessionId.slice(0, SHORT_LENGTH);
}
