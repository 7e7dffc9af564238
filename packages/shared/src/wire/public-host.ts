/** Letters, digits and `.-_`, as in a name in its ASCII form or an IPv4 address. The first is not one that begins a flag. */
const NAME = /^[A-Za-z\d_][\w.-]{0,252}$/;

/** Digits, colons and perhaps an IPv4 address at the end, without brackets; behind `%` a zone. */
const IPV6_ADDRESS = /^(?=.*:)[\da-fA-F:.]{2,45}(?:%[\w.-]{1,32})?$/;

/** Whether a server may name this as the host of a public address. It stands in URLs: nothing in it may mean anything else there. */
export function isPublicHost(text: string): boolean {
  return NAME.test(text) || IPV6_ADDRESS.test(text);
}
