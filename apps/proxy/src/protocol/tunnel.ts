/** What of a request may make it a tunnel. */
interface MaybeTunnel {
  readonly method: string;
  readonly upgrade: string | null;
}

/** It asks for bytes both ways: a protocol switch, or CONNECT. */
export function wantsTunnel({ method, upgrade }: MaybeTunnel): boolean {
  return upgrade !== null || method === 'CONNECT';
}

/** The answer makes it one: 101 to a switch, 2xx to CONNECT (RFC 9110, sections 7.8 and 9.3.6). */
export function acceptsTunnel({ method, upgrade }: MaybeTunnel, status: number): boolean {
  return upgrade === null ? method === 'CONNECT' && status >= 200 && status < 300 : status === 101;
}
