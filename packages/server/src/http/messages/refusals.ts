/** Why the server itself answers a visitor's request. */
export interface Refusal {
  readonly status: number;
  /** In the header `Tunnel-Error`. */
  readonly code: string;
  /** For the visitor: what happened, and what may help. */
  readonly words: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function badRequest(words: string): Refusal {
  return { status: 400, code: 'bad-request', words };
}

/** For what Node's parser makes of a request. */
export function unreadableRequest(code: string | undefined): Refusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return HEAD_TOO_LARGE;
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, code: 'head-too-slow', words: 'The head of the request did not come in time.' };
    default:
      return badRequest('This is not a valid HTTP request.');
  }
}

const RETRY_SOON: Refusal['headers'] = { 'Retry-After': '5' };

const AWAY = 'The program that serves this address is not connected at the moment. Try again in a moment.';

const BY_CODE: Readonly<Record<string, Omit<Refusal, 'code'>>> = {
  'visitor-denied': { status: 403, words: 'You may not use this address from where you are.' },
  'visitor-limit': {
    status: 503,
    words: 'As many requests as this address takes at once are being answered. Try again in a moment.',
    headers: RETRY_SOON,
  },
  'stream-limit': { status: 503, words: 'Too many connections are open. Try again in a moment.', headers: RETRY_SOON },
  'tunnel-closed': { status: 503, words: AWAY, headers: RETRY_SOON },
  'session-lost': { status: 503, words: AWAY, headers: RETRY_SOON },
  'session-expired': { status: 503, words: AWAY, headers: RETRY_SOON },
  'server-stopped': { status: 503, words: AWAY, headers: RETRY_SOON },
  stopped: { status: 503, words: AWAY, headers: RETRY_SOON },
  'service-unavailable': {
    status: 502,
    words: 'The program that serves this address is connected, but its local service is not running.',
  },
  'target-loop': { status: 508, words: 'This address leads back to itself.' },
  'stream-idle': { status: 504, words: 'The service sent nothing for too long.' },
};

/** What a visitor is told for one of the product's error codes. */
export function refusalOf(code: string): Refusal {
  const known = BY_CODE[code] ?? { status: 502, words: 'The service closed the connection before it answered.' };
  return { ...known, code: /^[a-z-]{1,32}$/.test(code) ? code : 'stream-reset' };
}

export const BAD_ANSWER: Refusal = { status: 502, code: 'bad-answer', words: 'The service did not answer with HTTP.' };

/** The service ended the connection without an answer, or with something that is not HTTP. */
export function badGateway({ code = '' }: NodeJS.ErrnoException): Refusal {
  return code.startsWith('HPE_')
    ? BAD_ANSWER
    : { status: 502, code: 'no-answer', words: 'The service closed the connection before it answered.' };
}

export const NO_SUCH_HOST: Refusal = {
  status: 404,
  code: 'no-such-host',
  words: 'Nothing is served at this address. Start the tunnel for it, or check how the name is spelled.',
};

export const METHOD_REFUSED: Refusal = {
  status: 405,
  code: 'method-refused',
  words: 'This server does not take requests with this method.',
  headers: { Allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' },
};

export const LOOP: Refusal = { status: 508, code: 'loop', words: 'This address leads back to itself.' };

export const HEAD_TOO_LARGE: Refusal = {
  status: 431,
  code: 'head-too-large',
  words: 'The head of the request is too large.',
};

export const MISDIRECTED: Refusal = {
  status: 421,
  code: 'misdirected',
  words: 'The certificate of this connection is not for the host that the request is for.',
};

export const UNAUTHORIZED: Refusal = {
  status: 401,
  code: 'credentials-needed',
  words: 'This address asks for a user name and a password.',
  headers: { 'WWW-Authenticate': 'Basic realm="tunnel", charset="UTF-8"' },
};

export function tooManyGuesses(waitS: number): Refusal {
  return {
    status: 429,
    code: 'too-many-guesses',
    words: 'Too many wrong passwords came from your address. Try again in a minute.',
    headers: { 'Retry-After': String(waitS) },
  };
}

/** The same request, with the same method and body (RFC 9110, section 15.4.9). */
export function redirectTo(location: string): Refusal {
  return {
    status: 308,
    code: 'use-https',
    words: 'This address is used with https.',
    headers: { Location: location, Connection: 'close' },
  };
}
