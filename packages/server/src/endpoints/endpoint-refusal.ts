import { type ErrorCode, TunnelError } from '@tunnel/shared';

/**
 * Why an endpoint is refused, for the client, and what the server's operator may know besides: to clients it makes no
 * difference whether another client or another program on the server's machine has a name.
 */
export class EndpointRefusal extends TunnelError {
  readonly forOperator: string;

  constructor(code: ErrorCode, forClient: string, forOperator: string, cause?: unknown) {
    super(code, { detail: forClient, cause });
    this.forOperator = new TunnelError(code, { detail: forOperator }).message;
  }
}

/** `who` it is, is for the operator only. */
export function somebodyElses(code: ErrorCode, name: string, who: string, cause?: unknown): EndpointRefusal {
  return new EndpointRefusal(code, `${name}, by somebody else`, `${name}, by ${who}`, cause);
}
